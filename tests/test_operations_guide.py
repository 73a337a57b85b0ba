"""What docs/operations.md prints works, and leaves nothing out that it should tell."""

import ast
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from click.testing import CliRunner
from prometheus_client.core import CounterMetricFamily

import phonegate
from kit.gateway import GatewayProcess
from phonegate.cli import group
from phonegate.cli.service.places import of_machine
from phonegate.cli.service.plan import first_configuration
from phonegate.cli.service.unit import (
    BACKUP_TIMER_NAME,
    BACKUP_UNIT_NAME,
    UNIT_NAME,
    ServiceUnit,
)
from phonegate.config import reader
from phonegate.config.settings import AlarmSettings
from phonegate.domain.alarm_wording import WORDINGS
from phonegate.domain.alarms import (
    Alarms,
    AlarmThresholds,
    DeadWebhook,
    GatewayHealth,
    HintedPhone,
    WaitingMessages,
)
from phonegate.domain.rate_limits import KINDS, Bounds
from phonegate.model.states import UNDELIVERED
from phonegate.operations.exposition import families
from tests.operations.conftest import make

GUIDE = (Path(__file__).parent.parent / "docs" / "operations.md").read_text()
SECRET = "my-secret-key-123"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    assert found
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def table(head: str) -> str:
    """The rows of the table whose first column has this head."""
    (rows,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", GUIDE, re.MULTILINE)
    assert isinstance(rows, str)
    return rows


def first_column(head: str) -> list[str]:
    return [
        name
        for row in table(head).splitlines()
        for name in re.findall("`(.*?)`", row.split("|")[1])
    ]


def metric_names() -> set[str]:
    return {
        f"{one.name}_total" if isinstance(one, CounterMetricFamily) else one.name
        for one in families(make())
    }


SHOWN = ServiceUnit(program=("/usr/bin/python3", "/usr/local/lib/phonegate/phonegate.pyz"))
"""As `phonegate service install` makes it from the zipapp."""

UNITS = {
    UNIT_NAME: SHOWN.text(),
    BACKUP_UNIT_NAME: SHOWN.backup_text(),
    BACKUP_TIMER_NAME: SHOWN.backup_timer_text(),
}


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    for name, text in UNITS.items():
        (tmp_path / name).write_text(text)
    return tmp_path / UNIT_NAME


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_units_are_those_that_the_program_writes() -> None:
    assert blocks("ini") == list(UNITS.values())


def test_the_configuration_begins_as_the_program_writes_it() -> None:
    assert tomllib.loads(first_configuration(of_machine())) in map(tomllib.loads, blocks("toml"))


def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = analyze("verify", "--man=no", *(str(unit.with_name(name)) for name in UNITS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_gives_the_service_little_to_harm(unit: Path) -> None:
    # 2.0 of 10: an ordinary service without any of these lines has 9.
    done = analyze("security", "--offline=true", "--threshold=20", str(unit))
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_unit_stops_the_gateway_no_sooner_than_it_drains(unit: Path) -> None:
    settings = reader.load(environ={})
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)
    (files,) = re.findall(r"^LimitNOFILE=(\d+)$", unit.read_text(), re.MULTILINE)
    assert int(stop_s) >= 2 * settings.http.drain_s
    assert int(files) > settings.http.max_connections


def test_the_unit_lets_the_gateway_write_where_it_is_told_to(unit: Path) -> None:
    # It is the gateway that writes a backup, and all but these folders is read-only to it.
    (folders,) = re.findall(r"^ReadWritePaths=(.*)$", unit.read_text(), re.MULTILINE)
    (state,) = re.findall(r"^StateDirectory=(\w+)$", unit.read_text(), re.MULTILINE)
    writable = {folder.removeprefix("-") for folder in folders.split()} | {f"/var/lib/{state}"}
    backups = set(
        re.findall(r"phonegate(?:\.pyz)? backup (/var/[\w/]+?)(?:/[\w-]+\.db)?[ `\n]", GUIDE)
    )
    (database,) = re.findall(r'^path = "(.*)/phonegate.db"', GUIDE, re.MULTILINE)
    assert backups
    assert backups | {database} <= writable


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_printed_setting_is_one(text: str, tmp_path: Path) -> None:
    assert tomllib.loads(text)
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    reader.load(path, {})


def test_every_alarm_is_explained_with_its_threshold() -> None:
    limits = {field.name: 1 for field in attrs.fields(AlarmThresholds)}
    worst = GatewayHealth(
        now=1e6,
        up_s=1e6,
        waiting=(
            WaitingMessages(org="a", count=1, since=0, away=True),
            WaitingMessages(org="a", count=1, since=0, away=False),
        ),
        free_bytes=0,
        database_bytes=9,
        log_bytes=9,
        in_place=False,
        carrier_failures={1: 9},
        hinted=(HintedPhone(phone=1, org="a", hint="Do this."),),
        certificate_s=0.0,
        modem_problem="No bus.",
        dead_webhooks=(DeadWebhook(webhook=1, org="a", reason="It is gone.", since=0.0),),
        mute={"webhook example.org": "HTTP 500"},
    )
    alarms = Alarms(AlarmThresholds(**limits))
    alarms.look(attrs.evolve(worst, up_s=0))
    raised = {signal.key[0] for signal in alarms.signals(worst) if signal.bad}
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|.*\|$", table("`alarm`"), re.MULTILINE))
    assert raised == set(rows)
    assert raised == set(WORDINGS)
    thresholds = {field.name for field in attrs.fields(AlarmSettings)} - {"notify", "heartbeat_url"}
    assert thresholds == {field.name for field in attrs.fields(AlarmThresholds)}
    assert thresholds <= set(re.findall(r"`([a-z_]+)`", " ".join(rows.values())))


def test_every_rule_is_of_a_metric() -> None:
    (rules,) = (text for text in blocks("yaml") if "alert:" in text)
    used = set(re.findall(r"phonegate_[a-z_]+", rules))
    bases = {re.sub(r"_(sum|count)$", "", name) for name in used}
    assert bases <= metric_names()
    labels = re.findall(r'(phonegate_\w+)\{(\w+)="(\w+)"\}', rules)
    samples = {
        (sample.name, tuple(sample.labels.items()))
        for family in families(make())
        for sample in family.samples
    }
    for name, label, value in labels:
        assert (name, ((label, value),)) in samples


NEWS = {
    *("org_added", "org_rotated", "org_removed", "org_options_changed"),
    *("key_added", "key_revoked"),
    *("phone_added", "phone_recognised", "phone_refused"),
    *("certificate_renewed", "reloaded", "alarm_over", "storage_recovered"),
}
"""Events of level info that an operator looks for."""


def logged(*levels: str) -> set[str]:
    """The events that the gateway logs at one of these levels."""
    found: set[str] = set()
    for path in Path(phonegate.__file__).parent.rglob("*.py"):
        text = path.read_text()
        # Most modules log nothing, and to parse one takes long.
        if re.search(rf"\.({'|'.join(levels)})\(", text) is None:
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=level, value=ast.Name(id="_log") | ast.Call()),
                    args=[event],
                ) if level in levels:
                    pass
                case _:
                    continue
            match event:
                case ast.Constant(value=str() as name):
                    found.add(name)
                case ast.JoinedStr(values=[ast.Constant(value="message_"), _]):
                    found.update(f"message_{status}" for status in UNDELIVERED)
                case _:
                    pytest.fail(f"{path}:{node.lineno}: which events are these?")
    return found


def test_every_event_that_an_operator_may_meet_is_explained() -> None:
    listed = first_column("event")
    assert len(listed) == len(set(listed))
    assert logged("info") >= NEWS
    assert set(listed) == logged("warning", "error", "exception", "critical") | NEWS


def test_every_limit_is_in_the_table_with_the_label_it_is_counted_under() -> None:
    rows = table("limit").splitlines()
    labels = {label for row in rows for label in re.findall("`(.*?)`", row.split("|")[-2])}
    assert labels == set(KINDS)
    settings = {name.rpartition(" ")[2] for name in first_column("limit")}
    assert settings == {field.name for field in attrs.fields(Bounds)} | {"disk_low_bytes"}
    assert "`[alarms] disk_low_bytes`" in table("limit")


COMMAND = re.compile(r"^(?:sudo -u phonegate .*pyz|phonegate) ([^#\n]*)", re.MULTILINE)


@pytest.mark.parametrize("command", COMMAND.findall("\n".join(blocks("sh"))))
def test_every_printed_command_exists(command: str) -> None:
    words = [word for word in command.split() if not word.startswith("/")]
    names = [word for word in words if not word.startswith("-")]
    shown = CliRunner().invoke(group, [*names, "--help"])
    assert shown.exit_code == 0, command
    assert {w for w in words if w.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown.output))


def call(gateway: GatewayProcess, method: str, path: str, body: Any = None) -> Any:
    headers = {"X-Secret-Key": SECRET}
    return httpx.request(method, f"{gateway.url}{path}", json=body, headers=headers).json()


def push(gateway: GatewayProcess, body: str) -> None:
    messages = [{"address": "+15551112222", "body": body, "date": 1}]
    call(
        gateway, "POST", "/webhook", {"org_id": "myorg", "secret_key": SECRET, "messages": messages}
    )


def test_a_backup_is_taken_and_restored_as_printed(tmp_path: Path) -> None:
    """The steps of the guide, with folders of a test and without systemctl and chown."""
    take, restore = (text for text in blocks("sh") if "backups/phonegate/phonegate.db" in text)
    places = {
        "/var/lib/phonegate": str(tmp_path / "var"),
        "/var/backups/phonegate": str(tmp_path / "backups"),
        "-o phonegate -g phonegate ": "",
    }

    def localized(text: str) -> str:
        for old, new in places.items():
            text = text.replace(old, new)
        return text

    (placed,) = (text for text in blocks("toml") if "/var/lib/phonegate" in text)
    config_file = tmp_path / "gateway.toml"
    config_file.write_text(localized(placed))
    for name in ("var", "backups"):
        (tmp_path / name).mkdir()
    database = tmp_path / "var" / "phonegate.db"

    def run(text: str) -> None:
        lines = [line for line in localized(text).splitlines() if not line.startswith("systemctl")]
        program = f"{sys.executable} -m phonegate backup"
        script = "\n".join(lines).replace("phonegate backup", program)
        # From anywhere: the database is found by the configuration.
        environment = os.environ | {"PHONEGATE_CONFIG": str(config_file)}
        subprocess.run(
            ["bash", "-ec", script], check=True, cwd=tmp_path, env=environment, timeout=60
        )

    with GatewayProcess(database) as gateway:
        push(gateway, "before")
        run(take)
        push(gateway, "after")
        # As after a crash: with a log that belongs to the file which is about to go.
        gateway.kill()
    assert database.with_name("phonegate.db-wal").stat().st_size > 0
    run(restore)
    assert database.stat().st_mode & 0o777 == 0o600
    with GatewayProcess(database) as again:
        found = call(again, "GET", "/messages/myorg")["messages"]
        assert [message["body"] for message in found] == ["before"]
        push(again, "later")
    plain = sqlite3.connect(database)
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()
