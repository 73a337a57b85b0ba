"""The add-on of Home Assistant: what its files say, and what its start makes of the options."""

import importlib.util
import re
import struct
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from phonegate.config import reader
from phonegate.config.settings import LogSettings, OrgSettings, Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "homeassistant" / "phonegate"
CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "config.yaml").read_text())

NOTIFY = ["webhook:https://example.org/ä?x=%22", "webhook:https://example.org/b"]

NETWORK = {
    "interfaces": [
        {"primary": False, "enabled": True, "ipv4": {"address": ["10.9.0.1/24"]}},
        {"primary": True, "enabled": True, "ipv4": {"address": ["192.168.1.10/24"]}},
    ]
}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", FOLDER / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


START = load()


def test_each_option_has_a_schema_a_default_and_its_words() -> None:
    words = yaml.safe_load((FOLDER / "translations" / "en.yaml").read_text())
    assert set(CONFIG["options"]) == set(CONFIG["schema"]) == set(words["configuration"])
    assert set(words["network"]) == set(CONFIG["ports"]) == set(CONFIG["ports_description"])
    for told in words["configuration"].values():
        assert set(told) == {"name", "description"}


@pytest.mark.parametrize(
    ("option", "owner", "name"),
    [("registration", OrgSettings, "registration"), ("log_level", LogSettings, "level")],
)
def test_choices_are_those_of_the_settings(option: str, owner: type, name: str) -> None:
    offered = re.fullmatch(r"list\((.*)\)", CONFIG["schema"][option])
    assert offered is not None
    assert set(offered[1].split("|")) == set(get_args(get_type_hints(owner)[name]))


def test_ports_are_those_that_it_listens_on() -> None:
    assert list(CONFIG["ports"]) == [f"{START.PORT}/tcp"]
    assert CONFIG["ingress_port"] == START.INGRESS_PORT
    assert f":{START.INGRESS_PORT}/health" in CONFIG["watchdog"]


def read(options: dict[str, Any], public_url: str, folder: Path) -> Settings:
    text = START.configuration({**CONFIG["options"], **options}, public_url)
    (folder / "gateway.toml").write_text(text)
    return reader.load(folder / "gateway.toml")


def test_the_defaults_are_a_configuration(tmp_path: Path) -> None:
    settings = read({}, "http://192.168.1.10:8080", tmp_path)
    assert settings.http.bind == ("0.0.0.0:8080",)
    assert settings.http.plain_bind == ("0.0.0.0:8099",)
    assert settings.http.public_url == "http://192.168.1.10:8080"
    assert settings.orgs.registration == "closed"
    assert settings.database.path == "/data/phonegate.db"
    assert settings.tls.certificate == ""


def test_each_option_arrives(tmp_path: Path) -> None:
    options = {
        "registration": "local",
        "log_level": "debug",
        "ssl": True,
        "notify": NOTIFY,
        "settings": ["pacing.segments_per_minute = 20", 'webhooks.allow = ["172.30.32.0/23"]'],
    }
    settings = read(options, "", tmp_path)
    assert settings.orgs.registration == "local"
    assert settings.log.level == "debug"
    assert settings.tls.key == "/data/tls.key"
    assert settings.alarms.notify == tuple(NOTIFY)
    assert settings.pacing.segments_per_minute == 20
    assert settings.webhooks.allow == ("172.30.32.0/23",)


def test_a_line_that_sets_an_option_again_is_none_of_toml() -> None:
    text = START.configuration({**CONFIG["options"], "settings": ['log.level = "info"']}, "")
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)


@pytest.mark.parametrize(
    ("network", "add_on", "secure", "url"),
    [
        (NETWORK, {"network": {"8080/tcp": 8080}}, False, "http://192.168.1.10:8080"),
        (NETWORK, {"network": {"8080/tcp": 18080}}, True, "https://192.168.1.10:18080"),
        (NETWORK, {"network": {"8080/tcp": None}}, False, ""),
        (NETWORK, {"network": None}, False, ""),
        (NETWORK, {}, False, ""),
        ({}, {"network": {"8080/tcp": 8080}}, False, ""),
        (
            {"interfaces": [{"primary": True, "ipv4": None}, NETWORK["interfaces"][0]]},
            {"network": {"8080/tcp": 8080}},
            False,
            "http://10.9.0.1:8080",
        ),
    ],
)
def test_the_address_for_phones(
    network: dict[str, Any], add_on: dict[str, Any], *, secure: bool, url: str
) -> None:
    assert START.own_url(network, add_on, secure=secure) == url


def test_a_renewed_certificate_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, ssl = tmp_path / "data", tmp_path / "ssl"
    data.mkdir()
    ssl.mkdir()
    monkeypatch.setattr(START, "DATA", data)
    monkeypatch.setattr(START, "CERTIFICATES", ssl)
    options = {**CONFIG["options"], "ssl": True}
    with pytest.raises(SystemExit, match=r"fullchain\.pem can't be read: No such file"):
        START.copy_certificate(options, None)
    for content in (b"first", b"second"):
        (ssl / "fullchain.pem").write_bytes(content)
        (ssl / "privkey.pem").write_bytes(content)
        START.copy_certificate(options, None)
        assert (data / "tls.crt").read_bytes() == (data / "tls.key").read_bytes() == content
    assert (data / "tls.key").stat().st_mode & 0o777 == 0o600
    (ssl / "privkey.pem").unlink()
    START.copy_certificate(options, None)
    assert (data / "tls.key").read_bytes() == b"second"


@pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
def test_pictures_have_the_sizes_that_are_asked_for(name: str, size: tuple[int, int]) -> None:
    head = (FOLDER / name).read_bytes()[:24]
    assert struct.unpack(">II", head[16:24]) == size


def test_the_gateway_gets_no_token_of_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(START, "DATA", tmp_path)
    # In a test, the main thread has its own signals.
    monkeypatch.setattr(START.signal, "signal", lambda *_: None)
    for name in START.TOKENS:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("KEPT", "yes")
    look = "import os, sys; sys.exit('secret' in os.environ.values() or 'KEPT' not in os.environ)"
    assert START.run([sys.executable, "-c", look], {}, None) == 0
