"""Quart's routes: those of the table, matched as the table matches."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import MethodNotAllowed, NotFound

from phonegate.api.app import TABLE as ENDPOINT
from phonegate.api.table import build_table
from phonegate.model import refusals
from tests.api.conftest import Web

TABLE = build_table()


WORDS = sorted({part for path in TABLE.paths for part in path.split("/") if part})
PARTS = st.one_of(
    st.sampled_from(["", "myorg", "%73end", "a%2Fb", "5", "{org}", ".", "..", "%", "é"]),
    st.sampled_from(WORDS),
)


PATHS = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end,
    st.lists(PARTS, max_size=5),
    st.sampled_from(["", "/"]),
)


def is_routed(web: Web, path: str) -> bool:
    request: Any = SimpleNamespace(
        scope={
            "headers": [],
            "raw_path": path.encode(),
            "path": unquote(path),
            "query_string": b"",
        },
        scheme="http",
        method="BREW",
    )
    adapter = web.app.create_url_adapter(request)
    assert adapter is not None
    try:
        endpoint: str = adapter.match()[0]
    except (NotFound, MethodNotAllowed):
        return False
    return endpoint == ENDPOINT


def is_covered(path: str) -> bool:
    try:
        TABLE.match("OPTIONS", path.encode().decode("latin-1"))
    except refusals.NotFound:
        return False
    except refusals.BadInput:  # of a parameter that is not UTF-8
        return True
    return True


async def test_quart_has_the_routes_of_the_table_and_no_others(web: Web) -> None:
    @settings(max_examples=400)
    @given(PATHS)
    def compare(path: str) -> None:
        assert is_routed(web, path) is is_covered(path)

    compare()
