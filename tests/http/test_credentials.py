from typing import Any

import pytest

from phonegate.api.endpoint import Endpoint
from phonegate.api.table import build_table
from phonegate.http.credentials import find_credential
from phonegate.model.refusals import BadInput

ENDPOINTS = {e.name: e for e in build_table(dialects=()).endpoints}
SEND = ENDPOINTS["send_sms"]


def find(
    endpoint: Endpoint = SEND,
    *,
    headers: dict[str, str] | None = None,
    path: dict[str, str] | None = None,
    query: dict[str, list[str]] | None = None,
    body: dict[str, Any] | None = None,
) -> str | None:
    return find_credential(
        endpoint.credential_places,
        headers or {},
        path=path or {},
        query=query or {},
        body=body or {},
    )


def test_the_first_place_that_has_one_counts() -> None:
    headers = {"x-secret-key": "1", "authorization": "Bearer 2"}
    body, path, query = {"secret_key": "3"}, {"secret": "4"}, {"secret_key": ["5"]}
    assert find(headers=headers, body=body, path=path, query=query) == "1"
    del headers["x-secret-key"]
    assert find(headers=headers, body=body, path=path, query=query) == "2"
    assert find(body=body, path=path, query=query) == "3"
    assert find(path=path, query=query) == "4"
    assert find(query=query) == "5"
    assert find() is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Bearer x", "x"),
        ("bearer   x ", "x"),
        ("Basic x", None),
        ("Bearer", None),
        ("Bearerx", None),
        ("", None),
    ],
)
def test_only_a_bearer_counts(value: str, found: str | None) -> None:
    assert find(headers={"authorization": value}) == found


def test_an_empty_one_counts_as_absent() -> None:
    assert find(headers={"x-secret-key": " "}, body={"secret_key": ""}, path={"secret": "4"}) == "4"
    assert find(body={"secret_key": None}, query={"secret_key": ["5"]}) == "5"


@pytest.mark.parametrize("value", [5, True, ["x"], {}])
def test_a_secret_that_is_no_text_is_named(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        find(body={"secret_key": value})
    assert [p.field for p in caught.value.problems] == ["secret_key"]


def test_a_secret_twice_in_the_query_is_named() -> None:
    with pytest.raises(BadInput, match="more than once"):
        find(query={"secret_key": ["a", "b"]})


def test_a_place_that_an_endpoint_does_not_offer_is_not_looked_at() -> None:
    assert find(ENDPOINTS["get_messages"], body={"secret_key": "3"}) is None
    assert find(ENDPOINTS["health"], headers={"x-secret-key": "1"}) is None
