"""`phonegate phone --simulate --as smsgate` as a program of its own."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from phonegate.cli import main
from tests.patience import PATIENCE_S
from tests.phone.smsgate.mobile_server import TOKEN, MobileServer

PROGRAM = [sys.executable, "-c", "import sys; from phonegate.cli import main; sys.exit(main())"]
AS_APP = ["phone", "--simulate", "--as", "smsgate"]


@asynccontextmanager
async def app(server: MobileServer, *options: str) -> AsyncIterator[trio.Process]:
    environment = {**os.environ, "PHONEGATE_ORG": "unused", "PHONEGATE_KEY": TOKEN}
    process = await trio.lowlevel.open_process(
        [*PROGRAM, *AS_APP, "--url", server.url, "--hasten", "100", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with trio.fail_after(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def output(process: trio.Process) -> tuple[int, str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    out = b"".join([part async for part in process.stdout])
    told = b"".join([part async for part in process.stderr])
    return await process.wait(), out.decode(), told.decode()


async def test_a_kill_leaves_a_journal_from_which_it_goes_on(
    server: MobileServer, tmp_path: Path
) -> None:
    files = ["--journal", str(tmp_path / "j"), "--radio-log", str(tmp_path / "r")]
    for n in range(20):
        server.message(f"m{n}", f"text {n}")
    async with app(server, *files, "--delay", "20") as process:
        await server.until(lambda: len(server.reports) > 5)
        process.kill()
        await process.wait()
    async with app(server, *files) as process:
        await server.until(lambda: all("Sent" in server.states(f"m{n}") for n in range(20)))
        process.terminate()
        code, out, told = await output(process)
    assert code == 0
    sent = [json.loads(line)["id"] for line in (tmp_path / "r").read_text().splitlines()]
    assert sorted(set(sent)) == sorted(f"m{n}" for n in range(20))
    assert json.loads(out)["registrations"] == 0
    assert "phone: app-0001: connected" in told
    assert len(server.devices) == 1


async def test_several_phones_are_several_registrations(
    server: MobileServer, tmp_path: Path
) -> None:
    async with app(server, "--phones", "3", "--reply", "--app", "later") as process:
        await server.until(lambda: server.opened == 3)
        process.terminate()
        code, out, told = await output(process)
    assert code == 0
    summary = json.loads(out)
    assert (summary["phones"], summary["links"], summary["registrations"]) == (3, 3, 3)
    assert told == ""
    assert len(server.devices) == 3


async def test_a_refused_token_is_one_sentence_and_exit_1(server: MobileServer) -> None:
    async with app(server, "--key", "wrong") as process:
        code, _, told = await output(process)
    assert code == 1
    assert "refused the API key (HTTP 401)" in told
    assert "Traceback" not in told
    assert "wrong" not in told


@pytest.mark.parametrize(
    "options",
    [
        ["phone", "--as", "smsgate"],
        ["phone", "--simulate", "--hole", "0.5"],
        [*AS_APP, "--protocol", "basic"],
        [*AS_APP, "--battery"],
        [*AS_APP, "--hasten", "0"],
        [*AS_APP, "--phones", "2", "--name", "x"],
    ],
)
def test_options_that_do_not_fit_are_exit_2(
    options: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PHONEGATE_KEY", "pgk_x")
    monkeypatch.setenv("PHONEGATE_ORG", "org")
    assert main(list(options)) == 2
    assert "Error" in capsys.readouterr().err
