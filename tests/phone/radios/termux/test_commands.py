"""Running commands, as processes."""

import os
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest
import trio

from phonegate.phone.radios.termux import commands
from phonegate.phone.radios.termux.commands import Commands
from phonegate.phone.radios.termux.errors import ApiSilent, CommandFailed, CommandMissing
from tests.patience import PATIENCE_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path


def script(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def of(folder: Path, prefix: str = "/data/data/com.termux/files/usr") -> Commands:
    return Commands({"PATH": f"{folder / 'bin'}", "PREFIX": prefix})


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it ended before, or while it was read
        return False
    return state not in {"Z", "X"}


async def gone(pid: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while alive(pid):  # noqa: ASYNC110 (a process that is no child of ours)
            await trio.sleep(0.005)


async def test_input_output_status_and_complaint(folder: Path) -> None:
    script(folder, "say", 'cat; echo "$2" >&2; exit 3')
    ended = await of(folder).run("say", "a", "b c", deadline_s=PATIENCE_S, text="hé\U0001f389\n")
    assert (ended.status, ended.output.decode(), ended.complaint) == (3, "hé\U0001f389\n", b"b c\n")
    assert "hé" not in repr(ended)


async def test_an_input_that_is_not_read_is_no_error(folder: Path) -> None:
    script(folder, "deaf", "exec true")
    ended = await of(folder).run("deaf", deadline_s=PATIENCE_S, text="x" * 1_000_000)
    assert ended.status == 0


async def test_a_long_output_goes_with_a_long_input(folder: Path) -> None:
    script(folder, "both", "cat")
    ended = await of(folder).run("both", deadline_s=PATIENCE_S, text="x" * 1_000_000)
    assert len(ended.output) == 1_000_000


@pytest.fixture
def pid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file. No time passes for commands until a line is written to it."""
    file = folder / "pid"

    class Clock:
        @staticmethod
        def monotonic() -> float:
            written = file.exists() and file.read_text().endswith("\n")
            return PATIENCE_S if written else 0.0

    monkeypatch.setattr(commands, "time", Clock)
    return file


async def test_at_the_deadline_the_whole_group_dies(folder: Path, pid: Path) -> None:
    script(folder, "hang", f"sleep 600 & echo $! > {pid}; wait")
    with (
        trio.fail_after(PATIENCE_S),
        pytest.raises(ApiSilent, match=r"hang did not end within 0\.3 s"),
    ):
        await of(folder).run("hang", deadline_s=0.3)
    await gone(int((folder / "pid").read_text()))


async def test_a_child_that_keeps_the_output_open_is_waited_for_no_longer(
    folder: Path, pid: Path
) -> None:
    script(folder, "leave", f"sleep 600 & echo $! > {pid}")
    with trio.fail_after(PATIENCE_S), pytest.raises(ApiSilent):
        await of(folder).run("leave", deadline_s=0.3)
    await gone(int((folder / "pid").read_text()))


async def test_a_cancellation_kills_it(folder: Path) -> None:
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    script(folder, "hang", f"echo $$ > {fifo}; sleep 60")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: of(folder).run("hang", deadline_s=60))
            pid = int(await trio.to_thread.run_sync(fifo.read_text))
            nursery.cancel_scope.cancel()
    await gone(pid)


async def test_an_endless_output_is_cut_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "OUTPUT_BYTES", 100_000)
    script(folder, "yes", "exec /usr/bin/yes")
    with trio.fail_after(PATIENCE_S), pytest.raises(ApiSilent):
        await of(folder).run("yes", deadline_s=60)


async def test_an_endless_complaint_ends_at_the_deadline(folder: Path) -> None:
    script(folder, "moan", "exec /usr/bin/yes >&2")
    with trio.fail_after(PATIENCE_S), pytest.raises(ApiSilent):
        await of(folder).run("moan", deadline_s=0.3)


async def test_a_text_is_whole_before_the_command_begins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    popen: Any = subprocess.Popen

    def look(*words: Any, stdin: IO[bytes], **options: Any) -> Any:
        begun.append(os.pread(stdin.fileno(), 100_000, stdin.tell()))
        return popen(*words, stdin=stdin, **options)

    monkeypatch.setattr(subprocess, "Popen", look)
    script(folder, "say", "cat")
    ended = await of(folder).run("say", deadline_s=PATIENCE_S, text="x" * 70_000)
    assert begun == [ended.output] == [b"x" * 70_000]


async def test_a_long_complaint_does_not_stop_it(folder: Path) -> None:
    script(folder, "moan", "head -c 300000 /dev/zero >&2")
    ended = await of(folder).run("moan", deadline_s=PATIENCE_S)
    assert ended.status == 0
    assert len(ended.complaint) < 200_000


async def test_a_missing_command_names_the_package(folder: Path) -> None:
    with pytest.raises(CommandMissing, match="pkg install termux-api"):
        await of(folder).run("termux-sms-list", deadline_s=1)
    with pytest.raises(CommandMissing, match="works in Termux on an Android phone"):
        await of(folder, prefix="").run("termux-sms-list", deadline_s=1)


async def test_a_command_that_can_not_be_started(folder: Path) -> None:
    path = folder / "bin" / "odd"
    path.write_text("#!/no/such/shell\n")
    path.chmod(0o755)
    with pytest.raises(CommandMissing):
        await of(folder).run("odd", deadline_s=1)
    path.write_bytes(b"\x7fELF")
    with pytest.raises(CommandFailed, match="odd failed: Exec format error"):
        await of(folder).run("odd", deadline_s=1)


async def test_json_or_nothing(folder: Path) -> None:
    script(folder, "json", 'echo "{\\"a\\": $1}"')
    script(folder, "nothing", "exit 0")
    assert await of(folder).ask("json", "1", deadline_s=PATIENCE_S) == {"a": 1}
    assert await of(folder).ask("nothing", deadline_s=PATIENCE_S) is None
