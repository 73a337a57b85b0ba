"""Both clients have the same calls, since one is made from the other."""

import inspect
from typing import Any

import pytest

from phonegate.client import AsyncGateway, AsyncIteration, Gateway, Iteration
from tests.client import synchronous

OTHERWISE = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}


def calls(of: type[Any]) -> dict[str, inspect.Signature]:
    """The methods of a class, as their callers see them."""
    found = inspect.getmembers(of, inspect.isfunction)
    return {
        OTHERWISE.get(name, name): inspect.signature(method)
        for name, method in found
        if not name.startswith("_") or name in OTHERWISE or name in OTHERWISE.values()
    }


def test_the_synchronous_client_is_as_made() -> None:
    for name, text in synchronous.made().items():
        made = (synchronous.MADE / name).read_text()
        assert made == text, "run .venv/bin/python -m tests.client.synchronous"
    assert {path.name for path in synchronous.MADE.glob("*.py")} == set(synchronous.made())


def test_both_have_the_same_calls() -> None:
    waiting, blocking = calls(AsyncGateway), calls(Gateway)
    assert waiting.keys() == blocking.keys()
    for name, signature in blocking.items():
        assert signature.parameters == waiting[name].parameters, name
        returned = str(waiting[name].return_annotation).replace(
            AsyncIteration.__module__, Iteration.__module__
        )
        assert str(signature.return_annotation) == returned.replace("AsyncI", "I"), name


@pytest.mark.parametrize("gateway", [AsyncGateway, Gateway])
def test_each_call_is_explained(gateway: type[Any]) -> None:
    found = inspect.getmembers(gateway, inspect.isfunction)
    assert all(method.__doc__ for name, method in found if not name.startswith("_"))
