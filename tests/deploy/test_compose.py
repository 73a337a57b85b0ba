"""What compose.yaml and the files that add to it say fits the program and the image."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from phonegate.cli import group
from phonegate.cli.service.unit import FILES_MAX, MEMORY_MAX, STOP_S, TASKS_MAX
from phonegate.config import reader
from phonegate.config.settings import Settings
from phonegate.model.stand_ins import TWILIO_HOST
from tests.deploy.instructions import ROOT, only, variables
from tests.patience import PATIENCE_S

FOLDER = ROOT / "deploy" / "docker"
BASE = ROOT / "compose.yaml"
ADDED = sorted(FOLDER.glob("compose.*.yaml"))
DOMAIN = "sms.example.org"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads `!reset`, which takes out what a file before has set (compose 2.24)."""


_Loader.add_constructor("!reset", lambda *_: None)


def read(path: Path) -> dict[str, Any]:
    text = re.sub(r"\$\{(\w+):?[?-]?([^}]*)\}", _filled, path.read_text())
    found: dict[str, Any] = yaml.load(text, _Loader)
    return found


def _filled(variable: re.Match[str]) -> str:
    name, default = variable.groups()
    return DOMAIN if name == "PHONEGATE_DOMAIN" else str(default)


def gateway_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(path)["services"]["phonegate"]
    return found


def settings_with(path: Path) -> Settings:
    """The settings of the gateway by the image, compose.yaml and one more file."""
    added = gateway_of(path)["environment"]
    environ = {**variables(), **gateway_of(BASE)["environment"], **added}
    noticed: list[object] = []
    settings = reader.load(environ=environ, warn=noticed.append)
    assert not noticed
    return settings


def named(stem: str) -> Path:
    return FOLDER / f"compose.{stem}.yaml"


def litestream_program() -> str:
    program = shutil.which("litestream", path=f"{Path(sys.executable).parent}")
    if program is None:
        pytest.skip("litestream is not installed; its package has no build for this machine")
    return program


def services() -> list[Any]:
    """Each service where it is first described."""
    found: dict[str, Any] = {}
    for path in (BASE, *ADDED):
        for name, service in read(path)["services"].items():
            found.setdefault(name, service)
    return [pytest.param(service, id=name) for name, service in found.items()]


def test_the_gateway_has_what_the_unit_of_systemd_gives_it() -> None:
    gateway = gateway_of(BASE)
    assert gateway["stop_grace_period"] == f"{STOP_S}s"
    assert gateway["mem_limit"] == MEMORY_MAX.lower()
    assert gateway["pids_limit"] == TASKS_MAX
    assert gateway["ulimits"] == {"core": 0, "nofile": FILES_MAX}


def test_the_volume_and_the_port_are_those_of_the_image() -> None:
    gateway = gateway_of(BASE)
    assert gateway["volumes"] == [f"data:{only('VOLUME')}"]
    assert gateway["ports"] == ["{0}:{0}".format(only("EXPOSE"))]
    # The image has the check of health, the user and the command.
    assert not {"healthcheck", "user", "command", "entrypoint"} & gateway.keys()


@pytest.mark.parametrize("service", services())
def test_no_service_may_do_more_than_it_must(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["restart"] == "unless-stopped"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("service", services())
def test_every_image_is_pinned_or_built_here(service: dict[str, Any]) -> None:
    if "build" not in service:
        assert re.search(r":\d+\.\d+", service["image"])


@pytest.mark.parametrize("path", [BASE, *ADDED], ids=lambda path: path.name)
def test_every_setting_is_one_and_orgs_are_not_made_by_a_first_call(path: Path) -> None:
    assert settings_with(path).orgs.registration == "closed"


@pytest.mark.parametrize("path", [BASE, *ADDED], ids=lambda path: path.name)
def test_every_file_and_command_that_is_named_exists(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"(?:deploy|docs)/[\w./-]+\w", text):
        assert (ROOT / name).exists(), name
    for words in re.findall(r"run --rm phonegate ([a-z]+)|`phonegate ([a-z]+)", text):
        assert CliRunner().invoke(group, [*filter(None, words), "--help"]).exit_code == 0


def test_what_caddy_is_believed_about_callers_is_believed_of_its_network_alone() -> None:
    caddy = read(named("caddy"))
    (network,) = caddy["networks"]["front"]["ipam"]["config"]
    settings = settings_with(named("caddy"))
    assert list(settings.http.trusted_proxies) == [network["subnet"]]
    assert settings.http.public_url == f"https://{DOMAIN}"
    assert {name for name, one in caddy["services"].items() if "front" in one["networks"]} == {
        "caddy",
        "phonegate",
    }


def test_caddy_s_file_is_the_one_of_the_guide() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    printed = re.findall(r"^```caddy\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)[0]
    for old, new in (
        (DOMAIN, "{$PHONEGATE_DOMAIN}"),
        ("127.0.0.1:8080", f"phonegate:{only('EXPOSE')}"),
    ):
        assert printed.count(old) == 1
        printed = printed.replace(old, new)
    ours = re.sub(r"^#.*\n", "", (FOLDER / "Caddyfile").read_text(), flags=re.MULTILINE)
    assert ours.expandtabs(4) == printed


def test_caddy_takes_its_file() -> None:
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("caddy is not installed")
    words = ["validate", "--adapter", "caddyfile", "--config", str(FOLDER / "Caddyfile")]
    done = subprocess.run(
        [program, *words],
        env={"PHONEGATE_DOMAIN": DOMAIN, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr


def test_litestream_runs_as_the_gateway_and_is_alone_to_checkpoint() -> None:
    litestream = read(named("litestream"))["services"]["litestream"]
    assert litestream["user"] == only("USER")
    assert settings_with(named("litestream")).database.checkpoint == "litestream"
    config = yaml.safe_load((FOLDER / "litestream.yml").read_text())
    (database,) = config["dbs"]
    assert database["path"] == variables()["PHONEGATE_DATABASE_PATH"]
    targets = [volume.split(":")[1] for volume in litestream["volumes"][:2]]
    assert targets == [only("VOLUME"), "/etc/litestream.yml"]
    assert litestream["volumes"][2].endswith(f":{database['replica']['path']}")


@pytest.mark.parametrize("name", ["litestream.yml", "litestream.s3.yml"])
def test_litestream_takes_its_files(name: str) -> None:
    words = [litestream_program(), "databases", "-config", str(FOLDER / name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert variables()["PHONEGATE_DATABASE_PATH"] in done.stdout


def test_litestream_s_image_is_the_version_that_was_tested() -> None:
    words = [litestream_program(), "version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    image = read(named("litestream"))["services"]["litestream"]["image"]
    assert image.rpartition(":")[2] == done.stdout.strip().removeprefix("v")


def test_the_stand_in_listens_where_its_name_leads_to() -> None:
    gateway = gateway_of(named("stand-in"))
    settings = settings_with(named("stand-in"))
    assert settings.stand_in.enabled
    (bind,) = settings.stand_in.bind
    port = int(bind.rpartition(":")[2])
    # Programs that can't choose the host call the port of HTTPS.
    assert port == 443
    assert gateway["sysctls"] == {"net.ipv4.ip_unprivileged_port_start": port}
    assert gateway["networks"]["twilio"]["aliases"] == [TWILIO_HOST]
    assert TWILIO_HOST not in settings.carriers.twilio_url
    # Beside the database, in the volume.
    assert not settings.stand_in.folder
