"""The catalogue of error codes holds what can be answered, and nothing else."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from phonegate.api.openapi.refusals import CARRIED
from phonegate.http.refusals import CODES, code_for
from phonegate.model.refusals import Refused
from phonegate.server import errors as server_errors

PACKAGE = Path(server_errors.__file__).parent.parent

FAULTS = {"internal_error", "storage_unavailable", "timeout", *CARRIED}
"""Codes of answers to what is no refusal."""


def kinds(kind: type[Refused]) -> Iterator[type[Refused]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from kinds(inner)


def codes_of_refusals() -> set[str]:
    importlib.import_module("phonegate.gateway")  # and with it every module that refuses
    ours = {kind for kind in kinds(Refused) if kind.__module__.startswith("phonegate.")}
    return {kind.code for kind in ours}


def refused_by_the_server() -> set[tuple[int, str]]:
    """The statuses and codes that stand in the server's own refusals."""
    return {
        (ast.literal_eval(node.args[0]), ast.literal_eval(node.args[2]))
        for path in (PACKAGE / "server").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RequestRefused"
    }


def test_every_code_stands_there_and_nothing_else() -> None:
    at_the_server = {code for _, code in refused_by_the_server()}
    assert at_the_server >= {"bad_request", "head_too_large"}
    assert codes_of_refusals() | at_the_server | FAULTS == set(CODES)


def test_the_server_refuses_with_the_status_of_each_code() -> None:
    for status, code in refused_by_the_server():
        # All connections together are a fault of the gateway's size, one address's of its own.
        assert status == CODES[code].status or (status, code) == (503, "too_many_connections")


def test_they_are_in_the_order_of_statuses() -> None:
    statuses = [code.status for code in CODES.values()]
    assert statuses == sorted(statuses)


@pytest.mark.parametrize("name", CODES)
def test_each_has_a_clause_and_advice(name: str) -> None:
    code = CODES[name]
    assert code.meaning[0].islower()
    assert not code.meaning.endswith(".")
    assert code.meaning.count("`") % 2 == 0
    assert code.sentence == code.meaning[0].upper() + code.meaning[1:] + "."
    assert code.advice.endswith(".")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_input"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (413, "too_large"),
        (415, "unsupported_media_type"),
        (418, "refused"),
        (429, "too_many_requests"),
        (500, "internal_error"),
        (502, "internal_error"),
        (503, "unavailable"),
    ],
)
def test_a_status_alone_has_its_most_general_code(status: int, code: str) -> None:
    assert code_for(status) == code
