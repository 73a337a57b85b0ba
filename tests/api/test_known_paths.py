import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.known_paths import PAGES
from phonegate.api.table import build_table
from tests.api.conftest import SECRET, Web

TABLE = build_table()


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/send", "POST /send/{org}"),
        ("POST", "/sned/myorg", "POST /send/{org}"),
        ("POST", "//send/myorg", "POST /send/{org}"),
        ("POST", "/Send/myorg", "POST /send/{org}"),
        ("POST", "/api/v1/send/myorg", "POST /send/{org}"),
        ("GET", "/message/myorg", "GET /messages/{org}"),
        ("POST", "/sms/sned", "POST /sms/send"),
        ("GET", "/keys", "GET /keys/{org}"),
        ("POST", "/keys", "POST /keys/{org}"),
        ("GET", "/doc", "GET /docs"),
        ("GET", "/websockets", "GET /websocket"),
    ],
)
def test_the_nearest_address_is_told(method: str, path: str, meant: str) -> None:
    detail = TABLE.no_such_address(method, path).detail
    assert detail == (
        f"There is nothing at this address. Did you mean {meant}? /docs shows every address."
    )


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/wp-login.php", "*", "", f"/{SECRET}"])
def test_where_none_is_near_none_is_told(path: str) -> None:
    told = TABLE.no_such_address("GET", path).detail
    assert told == "There is nothing at this address. /docs shows every address."


@pytest.mark.parametrize("path", [p for _, p in PAGES])
async def test_the_pages_that_may_be_told_exist(web: Web, path: str) -> None:
    assert (await web.call("GET", path)).status in {200, 426}


async def test_a_client_is_told(web: Web) -> None:
    for path in ("/sned/myorg", "/messages/myorg/a/b/c/d"):
        reply = await web.call("GET", path)
        assert (reply.status, reply.json["code"]) == (404, "not_found")
        assert "Did you mean" in reply.json["detail"]


@given(st.sampled_from(["GET", "POST", "BREW"]), st.text(max_size=300))
def test_a_path_s_own_words_are_never_repeated(method: str, path: str) -> None:
    known = [f"{e.method} {t}" for e in TABLE.endpoints for t in e.paths]
    known += [" ".join(page) for page in PAGES]
    detail = TABLE.no_such_address(method, path).detail
    _, _, question = detail.partition("Did you mean ")
    assert not question or question.partition("?")[0] in known
