"""`phonegate phone --termux`, as a program of its own that takes its machine for Android."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kit.fake_termux import FakeTermux
from phonegate.cli import main
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway

ANDROID = """
import sys

sys.platform = "android"
# There is no compiler on most phones, and so no compiled part of this one.
sys.modules["markupsafe._speedups"] = None
from phonegate.cli import main

sys.exit(main())
"""
COVERED = {"PHONEGATE_ORG": "myorg", "PHONEGATE_SECRET": SECRET}


@pytest.fixture
def on_the_phone(phone: FakeTermux, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTermux:
    for name, value in COVERED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{phone.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("PREFIX", "/data/data/com.termux/files/usr")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return phone


@asynccontextmanager
async def program(gateway: Gateway) -> AsyncIterator[trio.Process]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", ANDROID, "phone", "--termux", "--device-id", "sim-0001"],
        env={**os.environ, "PHONEGATE_URL": gateway.url},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        with trio.fail_after(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await process.stderr.aclose()


async def test_a_phone_sends_and_receives_over_a_kill(
    on_the_phone: FakeTermux, gateway: Gateway, tmp_path: Path
) -> None:
    on_the_phone.receive("+15550002222", "from before")
    first, second = gateway.orders_of(2)
    async with program(gateway) as process:
        await gateway.settled([first, second])
        process.kill()
    on_the_phone.receive("+15550002222", "hé \N{SLIGHTLY SMILING FACE}\n'\"")
    async with program(gateway) as process:
        await gateway.until(lambda: len(gateway.inbound) == 1)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert [order.results[0]["success"] for order in (first, second)] == [True, True]
    assert [(sent.to, sent.body) for sent in on_the_phone.air()] == [
        ("+15550000001", "text 1"),
        ("+15550000002", "text 2"),
    ]
    (sms,) = gateway.inbound.values()
    assert (sms["address"], sms["body"]) == ("+15550002222", "hé \N{SLIGHTLY SMILING FACE}\n'\"")
    assert on_the_phone.calls()[-1].program == "termux-wake-unlock"
    (journal,) = (tmp_path / ".local" / "state" / "phonegate").iterdir()
    assert journal.name.startswith("termux-")


def test_what_is_missing_ends_it_with_a_sentence(
    on_the_phone: FakeTermux, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_phone.set(denied=["SEND_SMS"])
    assert main(["phone", "--termux"]) == 1
    said = capsys.readouterr().err
    assert "adb shell pm grant com.termux.api android.permission.SEND_SMS" in said

    on_the_phone.set(denied=[], sim_state="absent")
    assert main(["phone", "--termux"]) == 1
    assert "The phone has no SIM." in capsys.readouterr().err

    on_the_phone.remove("termux-telephony-deviceinfo")
    assert main(["phone", "--termux"]) == 1
    assert "pkg install termux-api" in capsys.readouterr().err

    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("PREFIX")
    assert main(["phone", "--termux"]) == 1
    assert "--termux works in Termux on an Android phone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sub-id", "0:3"], "--termux"),
        (["--termux", "--sub-id", "0"], "is not SLOT:ID"),
        (["--termux", "--sub-id", "0:3"], "no --sim names slot 0"),
        (["--termux", "--simulate"], "can't be used together"),
    ],
)
def test_options_that_make_no_sense(
    on_the_phone: FakeTermux, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["phone", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_boot_script_is_for_termux_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["phone", "--termux", "--install-boot", "--key", "pgk_x"]) == 1
    assert "--termux works in Termux" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_boot_script_repeats_the_command(
    on_the_phone: FakeTermux,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["phonegate.pyz", "phone"])
    monkeypatch.chdir(tmp_path)
    options = ["--url", "http://gate:8080", "--name", "Ann phone", "--sim", "0:+15550:ACME"]
    more = ["--sim", "1:", "--sub-id", "1:4", "--signal", "--journal", "j"]
    for _ in range(2):
        assert main(["phone", "--termux", "--install-boot", *options, *more]) == 0
    script = tmp_path / ".termux" / "boot" / "phonegate"
    assert str(script) in capsys.readouterr().out
    assert script.stat().st_mode & 0o777 == 0o700
    text = script.read_text()
    assert text.startswith("#!/data/data/com.termux/files/usr/bin/sh\n")
    assert f"export PHONEGATE_SECRET={SECRET}\n" in text
    run = next(line for line in text.splitlines() if line.startswith("until "))
    assert SECRET not in run
    assert run == (
        f"until {sys.executable} {tmp_path}/phonegate.pyz phone --termux --name 'Ann phone' "
        f"--journal {tmp_path}/j --sim 0:+15550:ACME --sim 1: --sub-id 1:4 --reconnect 0.5-30 "
        "--signal; do"
    )
    assert on_the_phone.air() == []
