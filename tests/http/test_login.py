"""The places in which a dialect's clients show who they are."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.login import (
    Login,
    ShownLogin,
    basic_pair,
    find_login,
    speaks_basic,
    speaks_dialect,
)

KEY = "pgk_" + "a" * 8 + "_" + "b" * 32
PLACES = Login(
    headers=("x-api-key",), org_names=("username", "user"), secret_names=("password", "token")
)


def basic(text: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    ("headers", "query", "body", "found"),
    [
        ({}, {}, {}, ShownLogin()),
        (basic("myorg:secret"), {}, {}, ShownLogin(org="myorg", credential="secret")),
        (basic("myorg:a:b"), {}, {}, ShownLogin(org="myorg", credential="a:b")),
        (basic(f"{KEY}:"), {}, {}, ShownLogin(credential=KEY)),
        (basic(f"{KEY}:secret"), {}, {}, ShownLogin(org=KEY, credential="secret")),
        (basic(":"), {}, {}, ShownLogin()),
        ({"x-api-key": KEY}, {}, {}, ShownLogin(credential=KEY)),
        ({"authorization": f"Bearer {KEY}"}, {}, {}, ShownLogin(credential=KEY)),
        (
            {"x-secret-key": "first"} | basic("myorg:second"),
            {"user": ["myorg"]},
            {},
            ShownLogin(org="myorg", credential="first"),
        ),
        (
            {},
            {"USERNAME": ["myorg"], "Password": ["secret"]},
            {},
            ShownLogin(org="myorg", credential="secret", in_query=True),
        ),
        (
            {},
            {"Token": ["first"], "token": ["second"]},
            {},
            ShownLogin(credential="first", in_query=True),
        ),
        (
            {},
            {"user": ["myorg"]},
            {"password": ["secret"]},
            ShownLogin(org="myorg", credential="secret"),
        ),
        (
            {},
            {"password": [""], "token": [KEY]},
            {},
            ShownLogin(credential=KEY, in_query=True),
        ),
    ],
)
def test_the_first_that_is_not_empty_counts(
    headers: dict[str, str],
    query: dict[str, list[str]],
    body: dict[str, list[str]],
    found: ShownLogin,
) -> None:
    assert find_login(PLACES, headers, query, body) == found


def test_basic_counts_only_where_the_dialect_takes_it() -> None:
    assert find_login(Login(basic=False), basic("myorg:secret")) == ShownLogin()


def test_a_credential_is_in_no_text_of_it() -> None:
    assert "secret" not in repr(find_login(PLACES, basic("myorg:secret")))


@pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic YQ==", "Bearer x", ""])
def test_what_is_no_pair_is_none(value: str) -> None:
    assert basic_pair({"authorization": value}) is None


def test_a_pair_may_be_of_latin_1() -> None:
    token = base64.b64encode("müller:x".encode("latin-1")).decode()
    assert basic_pair({"authorization": f"basic {token}"}) == ("müller", "x")


@pytest.mark.parametrize(
    ("value", "does"),
    [
        ("Basic YTpi", True),
        ("bearer pgt_x", True),
        ("Bearer pgr_x", True),
        (f"Bearer {KEY}", False),
        ("", False),
    ],
)
def test_what_only_clients_of_dialects_show(value: str, *, does: bool) -> None:
    assert speaks_dialect({"authorization": value}) is does
    assert not speaks_dialect({})


@given(st.text(max_size=60))
def test_any_header_is_read_without_failing(value: str) -> None:
    find_login(PLACES, {"authorization": value})
    find_login(PLACES, {"authorization": f"Basic {value}"})


def test_one_who_shows_no_credential_learns_where_it_stands() -> None:
    assert PLACES.needed == (
        "An API key is needed (pgk_...). Send it as Authorization: Bearer, or as the password of "
        "Authorization: Basic, or as X-API-Key, or as the parameter password."
    )
    assert Login(basic=False).needed.endswith("Send it as Authorization: Bearer.")


def test_one_who_shows_a_secret_key_is_a_client_of_the_own_api() -> None:
    """A proxy may add Basic for itself."""
    assert not speaks_dialect({**basic("proxy:password"), "x-secret-key": KEY})
    assert speaks_dialect({**basic("myorg:password"), "x-secret-key": " "})


@pytest.mark.parametrize(
    ("value", "does"),
    [("Basic eDp5", True), ("basic  eDp5", True), ("Bearer x", False), ("", False)],
)
def test_who_speaks_basic(value: str, *, does: bool) -> None:
    assert speaks_basic({"authorization": value}) is does
    assert not speaks_basic({})
