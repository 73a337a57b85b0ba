"""The assistants that a configuration file declares."""

import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.carriers.registry import CARRIERS
from phonegate.config import declared_assistants, reader
from phonegate.config.faults import Fault
from phonegate.config.reader import ConfigError

SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef-the-token"
TWILIO = f"""
[[assistants]]
org = "myorg"
name = "support"
provider = "twilio"
phone_numbers = ["+15551110001"]
account_sid = "{SID}"
auth_token = "{TOKEN}"
"""
PHONE = """
[[assistants]]
org = "myorg"
name = "shop"
provider = "phone"
phone_numbers = ["+15551110004"]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def faults_of(text: str, environ: dict[str, str] | None = None) -> list[str]:
    Path("gateway.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        reader.load(None, environ)
    for word in (SID, TOKEN, "env-secret"):
        assert word not in str(caught.value)
    return [str(fault).replace(" (file gateway.toml)", "") for fault in caught.value.faults]


def test_assistants_are_read_in_order_and_show_no_secret() -> None:
    Path("gateway.toml").write_text(TWILIO + PHONE)
    support, shop = reader.load().assistants
    assert (support.org, support.name, support.provider) == ("myorg", "support", "twilio")
    assert support.phone_numbers == ("+15551110001",)
    assert support.credentials == {"account_sid": SID, "auth_token": TOKEN}
    assert (shop.provider, shop.credentials) == ("phone", {})
    assert TOKEN not in repr(reader.load())


def test_a_credential_may_stand_in_the_environment_under_any_name() -> None:
    Path("gateway.toml").write_text(TWILIO.replace(TOKEN, "env:PHONEGATE_TWILIO_ONE"))
    environ = {"PHONEGATE_TWILIO_ONE": "env-secret-of-one", "PHONEGATE_ASSISTANT_AUTH_TOKEN": "x"}
    (one,) = reader.load(None, environ).assistants
    assert one.credentials["auth_token"] == "env-secret-of-one"


def test_a_reference_does_not_switch_off_a_setting() -> None:
    Path("gateway.toml").write_text(TWILIO.replace(TOKEN, "env:PHONEGATE_DATABASE_PATH"))
    settings = reader.load(None, {"PHONEGATE_DATABASE_PATH": "somewhere-else.db"})
    assert settings.database.path == "somewhere-else.db"


def test_every_fault_of_every_assistant_is_told_at_once() -> None:
    text = TWILIO.replace("support", "").replace(TOKEN, "short") + PHONE.replace(
        '"phone"', '"pigeon"'
    )
    found = faults_of("[http]\nbnd = 1\n" + text + 'auth_tokn = "x"\n')
    assert [fault.partition(":")[0] for fault in found] == [
        "http.bnd",
        "assistants[0].name",
        "assistants[0].auth_token",
        "assistants[1].auth_tokn",
        "assistants[1].provider",
    ]
    assert "did you mean auth_token?" in found[3]
    assert 'one of "phone", "twilio", "telnyx" is needed' in found[4]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('org = "myorg"', "", "assistants[0].org: is needed"),
        ('org = "myorg"', "org = 5", "assistants[0].org: text in quotes is needed, not 5"),
        ('org = "myorg"', 'org = "x"', "assistants[0].org: must be 3 to 50"),
        ('name = "support"', "name = true", "assistants[0].name: text in quotes"),
        ('name = "support"', 'name = "a\\u0007"', "assistants[0].name: must be 1 to 100"),
        ('"twilio"', "[1]", "assistants[0].provider: one of"),
        ('["+15551110001"]', '"+15551110001"', "assistants[0].phone_numbers: a list of texts"),
        ('["+15551110001"]', "[]", "assistants[0].phone_numbers: must hold 1 to 50"),
        ('["+15551110001"]', "[1]", "assistants[0].phone_numbers: a list of texts"),
        ("+15551110001", "15551110001", "assistants[0].phone_numbers[0]: must be a number like"),
        ('01"]', '01", "+15551110001"]', "assistants[0].phone_numbers[1]: stands there twice"),
        (f'"{TOKEN}"', "5", "assistants[0].auth_token: must be 8 to 256"),
        (f'auth_token = "{TOKEN}"', "", "assistants[0].auth_token: is required"),
        (TOKEN, "env:UNSET", "assistants[0].auth_token: the environment variable UNSET is not set"),
        (TOKEN, "env:EMPTY", "assistants[0].auth_token: the environment variable EMPTY is not set"),
        (TOKEN, "env:env secret", "auth_token: the environment variable that it names is not set"),
        ("auth_token", "api_key", "assistants[0].api_key: there is no such key"),
        ("[[assistants]]", "[assistants]", "assistants: each is needed as a table of its own"),
        ("[[assistants]]", "[[assistant]]", "assistant: there is no such section; did you mean"),
    ],
)
def test_a_wrong_key_is_told(old: str, new: str, words: str) -> None:
    found = faults_of(TWILIO.replace(old, new), {"EMPTY": ""})
    assert any(words in fault for fault in found), found


def test_a_variable_that_is_not_set_is_one_fault() -> None:
    (fault,) = faults_of(TWILIO.replace(TOKEN, "env:UNSET"))
    assert fault == "assistants[0].auth_token: the environment variable UNSET is not set"


def test_names_and_numbers_are_unique_in_an_org() -> None:
    found = faults_of(TWILIO + TWILIO)
    assert found == [
        "assistants: myorg has two assistants that are named 'support'",
        "assistants: +15551110001 belongs to two assistants of myorg",
    ]
    Path("gateway.toml").write_text(TWILIO + TWILIO.replace("myorg", "other"))
    assert len(reader.load().assistants) == 2


def test_a_public_key_without_cryptography_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "A" * 43 + "="
    text = PHONE.replace('"phone"', '"telnyx"') + f'api_key = "KEY0123456789"\npublic_key = "{key}"'
    Path("gateway.toml").write_text(text)
    assert reader.load().assistants[0].credentials["public_key"] == key
    genuine = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "cryptography":
            raise ImportError(name)
        return genuine(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    (fault,) = faults_of(text)
    assert "needs the package cryptography" in fault


def test_the_sample_of_the_example_file_works() -> None:
    lines = declared_assistants.EXAMPLE.splitlines()
    sample = "\n".join(
        line.removeprefix("# ") for line in lines if re.match(r"# (\[\[|[a-z_]+ = )", line)
    )
    Path("gateway.toml").write_text(sample)
    environ = {"TWILIO_AUTH_TOKEN": "0123456789abcdef", "TELNYX_API_KEY": "KEY0123456789"}
    found = reader.load(None, environ).assistants
    assert [one.provider for one in found] == ["twilio", "telnyx", "phone"]
    named = {field.name for one in CARRIERS.values() for field in one.fields}
    assert {name for name in named if name not in declared_assistants.EXAMPLE} == set()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["twilio", "env:X"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from(["org", "name", "provider", "phone_numbers", "auth_token"]) | st.text()


@given(values | st.lists(st.dictionaries(keys, values, max_size=6), max_size=3))
def test_any_tables_give_assistants_or_faults_of_one_line(tables: object) -> None:
    faults: list[Fault] = []
    found = declared_assistants.read(tables, "file", {}, faults)
    assert all(type(name) is str for name in declared_assistants.referred(tables))
    assert all(len(str(fault).splitlines()) == 1 for fault in faults)
    if isinstance(tables, list) and tables and not faults:
        assert len(found) == len(tables)
