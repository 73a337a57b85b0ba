"""`phonegate phone` as a program of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from phonegate.cli import main
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway, Order

PROGRAM = [sys.executable, "-c", "import sys; from phonegate.cli import main; sys.exit(main())"]
COVERED = {"PHONEGATE_ORG": "myorg", "PHONEGATE_SECRET": SECRET}


@asynccontextmanager
async def phone(gateway: Gateway, *options: str) -> AsyncIterator[trio.Process]:
    environment = {**os.environ, **COVERED, "PHONEGATE_URL": gateway.url}
    process = await trio.lowlevel.open_process(
        [*PROGRAM, "phone", "--reconnect", "0-0.01", *options],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with trio.fail_after(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def output(process: trio.Process) -> tuple[int, list[dict[str, object]], str]:
    """The exit code, the lines of JSON and what was told to the person."""
    assert process.stdout is not None
    assert process.stderr is not None
    out = b"".join([part async for part in process.stdout])
    told = b"".join([part async for part in process.stderr])
    code = await process.wait()
    return code, [json.loads(line) for line in out.splitlines()], told.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_simulated_phones_end_on_a_signal_with_a_summary(
    gateway: Gateway, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "radio"
    orders = [gateway.order(Order(n, "+1555", "hi"), f"sim-000{n}") for n in (1, 2)]
    async with phone(
        gateway, "--simulate", "--phones", "2", "--reply", "--radio-log", str(log)
    ) as process:
        await gateway.settled(orders)
        await gateway.until(lambda: gateway.inbound_frames == 2)
        process.send_signal(number)
        code, (summary,), _ = await output(process)
    assert code == 0
    assert (summary["phones"], summary["links"], summary["radioed"]) == (2, 2, 2)
    assert summary["inbound_sent"] == 2
    assert len(log.read_text().splitlines()) == 2


async def test_a_kill_leaves_a_journal_that_keeps_the_promise(
    gateway: Gateway, tmp_path: Path
) -> None:
    files = ["--journal", str(tmp_path / "j"), "--radio-log", str(tmp_path / "r")]
    orders = gateway.orders_of(40)
    async with phone(gateway, "--simulate", "--delay", "5", *files) as process:
        await gateway.until(lambda: sum(order.settled for order in orders) >= 5)
        process.kill()
        await process.wait()
    async with phone(gateway, "--simulate", *files) as process:
        await gateway.settled(orders)
        process.terminate()
        code, _, _ = await output(process)
    assert code == 0
    sent = [json.loads(line)["id"] for line in (tmp_path / "r").read_text().splitlines()]
    assert len(sent) == len(set(sent))
    for order in orders:
        assert order.results[-1]["success"] or order.results[-1]["uncertain"]
        assert order.results[-1].get("uncertain") or order.id in sent


async def test_a_script_talks_through_its_pipes(gateway: Gateway) -> None:
    order = gateway.order(Order(5, "+1555", "hi"), "modem")
    async with phone(gateway, "--device-id", "modem", "--sim", "0:+1:Carrier") as process:
        assert process.stdin is not None
        await process.stdin.send_all(b'{"type":"send_result","id":5,"success":true}\n')
        await gateway.settled([order])
        await process.stdin.aclose()
        code, frames, told = await output(process)
    assert code == 0
    assert frames[0] == {"type": "connected", "org_id": "myorg"}
    assert "connected" in told
    assert gateway.peers[0].frames[0]["sims"] == [{"slot": 0, "number": "+1", "carrier": "Carrier"}]
    assert gateway.peers[0].headers[b"x-secret-key"] == SECRET.encode()


async def test_refused_credentials_are_one_sentence_and_exit_1(gateway: Gateway) -> None:
    for options in (["--simulate"], []):
        gateway.refuse.append((401, b'{"detail":"No."}', {}))
        async with phone(gateway, *options) as process:
            code, _, told = await output(process)
        assert code == 1
        assert "refused the secret of org myorg" in told
        assert "Traceback" not in told
        assert SECRET not in told


async def test_duration_ends_it(gateway: Gateway) -> None:
    async with phone(gateway, "--simulate", "--duration", "0.1", "--secret-in-url") as process:
        code, (summary,), _ = await output(process)
    assert code == 0
    assert summary["phones"] == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--url", "ftp://h"],
        ["--secret", "with space"],
        ["--sim", "x"],
        ["--sim", "a:+1"],
        ["--reconnect", "5-1"],
        ["--reconnect", "soon"],
        ["--simulate", "--fail", "2"],
        ["--simulate", "--phones", "0"],
        ["--simulate", "--phones", "2", "--sim", "0:+1"],
        ["--simulate", "--phones", "2", "--name", "x"],
        ["--simulate", "--inbound-every", "0"],
        ["--phones", "2"],
        ["--fail", "0.1"],
    ],
)
def test_wrong_usage_is_exit_2(
    options: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in COVERED.items():
        monkeypatch.setenv(name, value)
    assert main(["phone", *options]) == 2
    assert "Error" in capsys.readouterr().err


def test_without_org_or_secret_is_exit_2(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COVERED:
        monkeypatch.delenv(name, raising=False)
    assert main(["phone"]) == 2


def test_a_journal_that_is_none_is_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in COVERED.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "j").write_text("something else\n")
    options = ["phone", "--simulate", "--journal", str(tmp_path / "j")]
    assert main(options) == 1
    assert "line 1 is not a record" in capsys.readouterr().err
    assert (tmp_path / "j").read_text() == "something else\n"
