"""The page of error codes, made from `phonegate.http.refusals.CODES`."""

from collections.abc import Iterator
from itertools import groupby

from phonegate.api.openapi.refusals import ALWAYS
from phonegate.http.refusals import CODES
from tests.documents.markdown import code, link, table
from tests.documents.reference.beginning import beginning


def page() -> str:
    """Returns the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield beginning("errors")
    rows = (
        (str(status), ", ".join(link(code(name), name) for name, _ in codes))
        for status, codes in _by_status()
    )
    yield from table(("status", "codes"), rows)
    yield f"Any request may meet {', '.join(link(code(name), name) for name in ALWAYS)}.\n"
    for name, known in CODES.items():
        yield f"## {name}\n"
        yield f"**{known.status}**: {known.sentence} *{known.advice}*\n"


def _by_status() -> Iterator[tuple[int, list[tuple[str, object]]]]:
    for status, codes in groupby(CODES.items(), key=lambda item: item[1].status):
        yield status, list(codes)
