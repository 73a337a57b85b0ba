"""What a gateway takes up of a changed configuration while it serves."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
import trio.testing

from kit.gateway import GatewayProcess
from phonegate.config.reader import ConfigError, Fault
from phonegate.config.settings import (
    AlarmSettings,
    HttpSettings,
    LogSettings,
    Settings,
    TlsSettings,
)
from phonegate.operations.reload import TAKEN_UP, Reload
from phonegate.server import CertificateUnusable
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S


def changed(**sections: Any) -> Settings:
    return attrs.evolve(Settings(), **sections)


async def reload(*reads: Callable[[], Settings] | Settings) -> tuple[list[Any], list[Settings]]:
    """Reloads once for each of *reads*; the lines of the log, and what was taken up."""
    taken: list[Settings] = []
    left = list(reads)

    def reread() -> Settings:
        read = left.pop(0)
        return read() if callable(read) else read

    async def take_up(settings: Settings) -> None:
        taken.append(settings)

    reloading = Reload(Settings(), reread, take_up)
    with capture_logs() as lines:
        for _ in reads:
            await reloading.now()
    return lines, taken


async def test_it_names_what_changed_and_what_needs_a_restart() -> None:
    new = changed(
        log=LogSettings(level="warning"),
        alarms=AlarmSettings(log_bytes=1, phone_away_s=1.0),
        http=HttpSettings(bind=("127.0.0.1:1",)),
    )
    (line,), taken = await reload(new)
    assert taken == [new]
    assert line["event"] == "reloaded"
    assert line["changed"] == "alarms.phone_away_s, alarms.log_bytes, log.level"
    assert line["needs_restart"] == "http.bind"


async def test_what_needs_a_restart_is_named_until_there_was_one() -> None:
    new = changed(log=LogSettings(level="warning"), http=HttpSettings(drain_s=1.0))
    (first, second), _ = await reload(new, new)
    assert first["changed"] == "log.level"
    assert second["changed"] == "nothing"
    assert first["needs_restart"] == second["needs_restart"] == "http.drain_s"


async def test_it_names_a_certificate_that_was_renewed_in_its_place() -> None:
    async def renew(_: Settings) -> str | None:
        return "tls (certificate renewed)"

    with capture_logs() as lines:
        await Reload(Settings(), Settings, renew).now()
    assert lines[0]["changed"] == "tls (certificate renewed)"


async def test_a_faulty_configuration_changes_nothing_and_shows_no_value() -> None:
    def refuse() -> Settings:
        raise ConfigError((Fault(key="a.b", source="x", problem="'hunter2-secret' is wrong"),))

    (line,), taken = await reload(refuse)
    assert (line["event"], line["faults"], taken) == ("reload_refused", 1, [])
    assert "hunter2" not in str(line)


async def test_what_the_system_refuses_ends_no_gateway() -> None:
    def refuse() -> Settings:
        raise BrokenPipeError(32, "Broken pipe")

    (line,), taken = await reload(refuse)
    assert (line["event"], taken) == ("reload_refused", [])


async def test_a_certificate_that_cant_be_used_leaves_the_rest_as_it_was() -> None:
    async def refuse(settings: Settings) -> None:
        raise CertificateUnusable("key x does not belong to certificate y.")

    taken: list[Settings] = []

    async def take_up(settings: Settings) -> None:
        taken.append(settings)

    new = changed(tls=TlsSettings(certificate="y", key="x"))
    with capture_logs() as lines:
        await Reload(Settings(), lambda: new, refuse, take_up).now()
    assert (lines[0]["event"], taken) == ("reload_refused", [])


@pytest.mark.parametrize(
    ("old", "new", "taken_up"),
    [
        (TlsSettings(), TlsSettings(certificate="c", key="k"), False),
        (TlsSettings(certificate="c", key="k"), TlsSettings(), False),
        (TlsSettings(certificate="c", key="k"), TlsSettings(certificate="d", key="k"), True),
    ],
)
async def test_a_port_does_not_begin_or_end_to_encrypt(
    old: TlsSettings, new: TlsSettings, *, taken_up: bool
) -> None:
    with capture_logs() as lines:
        await Reload(changed(tls=old), lambda: changed(tls=new)).now()
    assert lines[0]["changed"].startswith("tls.") == taken_up
    assert ("needs_restart" in lines[0]) != taken_up


async def test_it_reloads_once_each_time_it_is_asked() -> None:
    ask, asked = trio.open_memory_channel[None](1)
    times: list[Settings] = []

    async def take_up(settings: Settings) -> None:
        times.append(settings)

    with trio.fail_after(PATIENCE_S), capture_logs():
        async with trio.open_nursery() as nursery, ask:
            nursery.start_soon(Reload(Settings(), Settings, take_up).run, asked)
            for number in range(1, 4):
                await ask.send(None)
                await trio.testing.wait_all_tasks_blocked()
                while len(times) < number:
                    await trio.lowlevel.checkpoint()


def test_the_sections_that_are_taken_up_exist() -> None:
    assert {field.name for field in attrs.fields(Settings)} >= TAKEN_UP


def test_a_hang_up_changes_what_is_logged_and_ends_nothing(tmp_path: Path) -> None:
    configuration = tmp_path / "gateway.toml"
    configuration.write_text('[log]\nrequests = "all"\n')
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PHONEGATE_")}
    command = [sys.executable, "-m", "phonegate", "serve", "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**environment, "PHONEGATE_LOG_FORMAT": "json"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen: list[str] = []

    def until(mark: str) -> str:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line)
            if mark in line:
                return line
        raise AssertionError("".join(seen))

    try:
        url = "http:" + until("  Here ").rpartition("http:")[2].strip()

        def ask() -> None:
            with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE_S) as answer:
                assert answer.status == 200

        ask()
        until('"request"')
        configuration.write_text('[log]\nrequests = "errors"\n[http]\ndrain_s = 1\n')
        process.send_signal(signal.SIGHUP)
        line = until('"reloaded"')
        assert '"changed": "log.requests"' in line
        assert '"needs_restart": "http.drain_s"' in line
        ask()
        configuration.write_text("[log]\nrequests = nonsense\n")
        process.send_signal(signal.SIGHUP)
        until('"reload_refused"')
        ask()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        rest = process.stdout.read()
        assert '"request"' not in rest + "".join(seen[seen.index(line) :])
    finally:
        process.kill()
        process.communicate()


def test_a_gateway_without_a_configuration_outlives_a_hang_up(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "phonegate.db") as gateway:
        gateway.process.send_signal(signal.SIGHUP)
        with urllib.request.urlopen(f"{gateway.url}/health", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
