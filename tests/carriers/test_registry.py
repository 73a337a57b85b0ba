"""The list of carriers, and what the gateway works from it."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import attrs
import pytest

import phonegate
from phonegate.carriers.registry import (
    CARRIERS,
    PROVIDERS,
    account_mark,
    alternatives,
    base_url,
    check_credentials,
    open_account,
    unsigned,
    unusable_credentials,
)
from phonegate.carriers.telnyx.client import Telnyx
from phonegate.carriers.twilio.client import Twilio
from phonegate.config.settings import CarrierSettings
from phonegate.model.assistants import Assistant
from phonegate.model.dialects import DIALECTS
from phonegate.model.refusals import BadInput, Refused
from phonegate.model.webhooks import Shape

from .samples import API_KEY, SERVICE, SID, TOKEN

ACCOUNTS = {
    "twilio": {"account_sid": SID, "auth_token": TOKEN},
    "telnyx": {"api_key": API_KEY},
}


def assistant(provider: str, **credentials: str) -> Assistant:
    return Assistant(
        id=1,
        org=1,
        org_name="myorg",
        name="support",
        provider=provider,
        phone_numbers=("+15551110001",),
        credentials={**ACCOUNTS[provider], **credentials},
        token="t",
        from_file=False,
        created_at=0,
    )


def test_every_carrier_has_its_address_among_the_settings() -> None:
    """The settings stand below the carriers, so the two are held together here."""
    settings = {
        field.name.removesuffix("_url"): field.default
        for field in attrs.fields(CarrierSettings)
        if field.name.endswith("_url")
    }
    assert settings == {name: carrier.base_url for name, carrier in CARRIERS.items()}
    elsewhere = CarrierSettings(twilio_url="http://twilio.test", telnyx_url="http://telnyx.test")
    assert [base_url(name, elsewhere) for name in CARRIERS] == [
        "http://twilio.test",
        "http://telnyx.test",
    ]


FORMS = {*get_args(Shape), *DIALECTS, "twilio_url"}


def test_no_code_outside_its_folder_names_a_carrier() -> None:
    """But for the registry, the settings, and the examples in documents.

    The dialect and the shape of webhooks that are named after a carrier have nothing to do with
    what sends. A stand-in must know for whom it stands.
    """
    package = Path(phonegate.__file__).parent
    allowed = {package / "carriers" / "registry.py", package / "config" / "settings.py"}
    named = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        if path not in allowed and path.parent.name not in CARRIERS
        for text in [path.read_text()]
        if any(name in text for name in CARRIERS)
        for node in _outside_examples(ast.parse(text))
        if isinstance(node, ast.Constant | ast.Name | ast.Attribute)
        and _word(node) in {*CARRIERS, *(f"{name}_url" for name in CARRIERS)}
        and not (_is_of_form(path.relative_to(package)) and _word(node) in FORMS)
    ]
    assert named == []


def _is_of_form(path: Path) -> bool:
    return any(word in path.as_posix() for word in ("webhook", "callback", "dialect", "stand_in"))


def _outside_examples(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but what is under a keyword argument `example`."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.keyword) and child.arg == "example"):
            yield child
            yield from _outside_examples(child)


def _word(node: ast.Constant | ast.Name | ast.Attribute) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    return node.id if isinstance(node, ast.Name) else node.attr


def test_every_carrier_is_described_by_its_own_record() -> None:
    assert PROVIDERS == ("twilio", "telnyx", "phone")
    for name, carrier in CARRIERS.items():
        assert carrier.name == name
        assert urlsplit(carrier.base_url).scheme == "https"
        names = {field.name for field in carrier.fields}
        assert carrier.callbacks.key in {None, *names}
        assert bool(carrier.callbacks.key) == bool(carrier.callbacks.unsigned)
        assert any(field.secret and field.required for field in carrier.fields)
        assert check_credentials(name, ACCOUNTS[name]) == ACCOUNTS[name]


@pytest.mark.parametrize(("provider", "kind"), [("twilio", Twilio), ("telnyx", Telnyx)])
async def test_accounts_are_opened_by_provider(provider: str, kind: type) -> None:
    account = open_account(assistant(provider), CarrierSettings())
    assert isinstance(account, kind)
    await account.aclose()


@pytest.mark.parametrize("name", CARRIERS)
def test_wrong_credentials_open_nothing(name: str) -> None:
    with pytest.raises(BadInput):
        open_account(attrs.evolve(assistant(name), credentials={}), CarrierSettings())


@pytest.mark.parametrize("name", CARRIERS)
def test_a_proxy_that_can_t_be_used_opens_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:9")
    with pytest.raises(Refused, match="proxy"):
        open_account(assistant(name), CarrierSettings())


def test_the_mark_of_an_account_never_changes() -> None:
    """Messages of earlier versions have it in their references."""
    assert account_mark(assistant("twilio")) == hashlib.sha256(f"{SID}\n".encode()).hexdigest()[:8]
    telnyx = hashlib.sha256(f"\n{API_KEY}".encode()).hexdigest()[:8]
    assert account_mark(assistant("telnyx")) == telnyx


def test_an_account_keeps_its_mark_while_other_credentials_change() -> None:
    renewed = assistant("twilio", auth_token="another-token", messaging_service_sid=SERVICE)
    assert account_mark(renewed) == account_mark(assistant("twilio"))
    other = assistant("twilio", account_sid=SID.replace("0", "1"))
    assert account_mark(other) != account_mark(assistant("twilio"))
    other = assistant("telnyx", api_key="KEY-of-another-account")
    assert account_mark(other) != account_mark(assistant("telnyx"))


def test_what_proves_callbacks_may_be_missing() -> None:
    assert "public_key" in (unsigned("telnyx", ACCOUNTS["telnyx"]) or "")
    assert unsigned("telnyx", {**ACCOUNTS["telnyx"], "public_key": "x"}) is None
    assert unsigned("twilio", ACCOUNTS["twilio"]) is None
    assert unsigned("phone", {}) is None


def test_stored_credentials_are_looked_at_for_what_this_machine_lacks() -> None:
    assert unusable_credentials("phone", {}) == []
    assert unusable_credentials("telnyx", {"api_key": "of a wrong form"}) == []
    (wrong,) = unusable_credentials("telnyx", {"public_key": "AAAA"})
    assert wrong.field == "credentials.public_key"


def test_alternatives_are_a_phrase() -> None:
    assert alternatives(["one"]) == "one"
    assert alternatives(["one", "two"]) == "one or two"
    assert alternatives(PROVIDERS) == "twilio, telnyx or phone"
