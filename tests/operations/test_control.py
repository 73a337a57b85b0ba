"""The control socket, over real sockets."""

import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from phonegate.model.refusals import BadInput, FieldProblem, NotFound
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.operations import control
from phonegate.operations.control import (
    Control,
    ControlRefused,
    ControlUnusable,
    NotServing,
    Report,
    ask,
)


async def echo(request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    await report(1, 2)
    await report(2, 2)
    return {"word": request["word"]}


async def refuse(request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    raise NotFound(f"There is no {request['word']}.")


async def full(request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    raise StorageUnavailable("the disk is full")


async def break_down(request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    raise ZeroDivisionError(request["word"])


async def wrong(request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    raise BadInput("to is short. (1 more in errors.)", PROBLEMS)


PROBLEMS = (FieldProblem("to", "is short"), FieldProblem("zone", "is on no map"))
COMMANDS = {
    "echo": echo,
    "refuse": refuse,
    "full": full,
    "break_down": break_down,
    "wrong": wrong,
}


async def in_thread(database: Path, command: str, **fields: Any) -> dict[str, Any]:
    return await trio.to_thread.run_sync(lambda: ask(database, command, **fields))


async def test_ask_gets_the_answer_and_the_progress(tmp_path: Path, nursery: trio.Nursery) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, COMMANDS).serve)
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    assert await in_thread(database, "echo", word="héllo\n", progress=progress) == {
        "word": "héllo\n"
    }
    assert seen == [(1, 2), (2, 2)]


async def test_refusals_keep_their_sentence_and_code(tmp_path: Path, nursery: trio.Nursery) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, COMMANDS).serve)
    with pytest.raises(ControlRefused, match="There is no it") as caught:
        await in_thread(database, "refuse", word="it")
    assert (caught.value.code, caught.value.problems) == ("not_found", ())
    with pytest.raises(ControlRefused, match="to is short") as caught:
        await in_thread(database, "wrong")
    assert caught.value.problems == PROBLEMS
    with pytest.raises(ControlRefused, match="disk is full"):
        await in_thread(database, "full")
    with pytest.raises(ControlRefused, match="does not know that command"):
        await in_thread(database, "no_such")
    with pytest.raises(ControlRefused, match="its log says why") as caught:
        await in_thread(database, "break_down", word="a-secret")
    assert "a-secret" not in str(caught.value)
    assert await in_thread(database, "echo", word="alive") == {"word": "alive"}


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotServing):
        ask(tmp_path / "x.db", "echo")
    with pytest.raises(NotServing):
        ask(tmp_path / "missing" / "x.db", "echo")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "x.db.sock"))
    with pytest.raises(NotServing):
        ask(tmp_path / "x.db", "echo")


async def test_mode_stale_socket_and_removal(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    path = control.socket_path(database)
    assert path == tmp_path / "x.db.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    before = os.umask(0o022)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(Control(database, COMMANDS).serve)
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
            assert await in_thread(database, "echo", word="x") == {"word": "x"}
            nursery.cancel_scope.cancel()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert not path.exists()


async def test_a_link_to_the_database_leads_to_its_socket(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    (tmp_path / "x.db").touch()
    (tmp_path / "link.db").symlink_to("x.db")
    await nursery.start(Control(tmp_path / "x.db", COMMANDS).serve)
    assert await in_thread(tmp_path / "link.db", "echo", word="x") == {"word": "x"}


async def test_something_else_in_its_place_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    path = control.socket_path(database)
    path.write_text("mine")
    async with trio.open_nursery() as nursery:
        await nursery.start(Control(database, COMMANDS).serve)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("parts", [["d" * 100, "e" * 100, "x.db"], ["n" * 240 + ".db"]])
async def test_long_paths(tmp_path: Path, nursery: trio.Nursery, parts: list[str]) -> None:
    database = tmp_path.joinpath(*parts)
    database.parent.mkdir(parents=True, exist_ok=True)
    await nursery.start(Control(database, COMMANDS).serve)
    assert control.socket_path(database).exists()
    assert await in_thread(database, "echo", word="x") == {"word": "x"}


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"nonsense\n",
        b"\xff\xfe\n",
        b'{"command": ["echo"]}\n',
        b'{"command": "echo"}\n',
        b"[" * 60_000 + b"\n",
        b"x" * (control.LONGEST_LINE + 8_192),
        b"no end",
    ],
)
async def test_a_bad_line_is_answered_and_hurts_nobody(
    tmp_path: Path, nursery: trio.Nursery, line: bytes
) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, COMMANDS).serve)
    with trio.fail_after(5):
        stream = await trio.open_unix_socket(control.socket_path(database))
        async with stream:
            await stream.send_all(line)
            if not line.endswith(b"\n"):
                await stream.send_eof()
            received = b""
            while b'"ok"' not in received:
                received += await stream.receive_some()
    assert json.loads(received.splitlines()[-1])["ok"] is False
    assert await in_thread(database, "echo", word="alive") == {"word": "alive"}


async def test_silent_clients_are_let_go_and_more_than_a_few_wait(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "REQUEST_S", 0.05)
    database = tmp_path / "x.db"
    await nursery.start(Control(database, COMMANDS).serve)
    idle = [
        await trio.open_unix_socket(control.socket_path(database))
        for _ in range(control.MAX_CLIENTS)
    ]
    assert await in_thread(database, "echo", word="x") == {"word": "x"}
    for stream in idle:
        await stream.aclose()


async def test_a_client_that_leaves_in_the_middle_hurts_nobody(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, COMMANDS).serve)
    for _ in range(control.MAX_CLIENTS * 2):
        stream = await trio.open_unix_socket(control.socket_path(database))
        await stream.send_all(b'{"command": "echo", "word": "x"}\n')
        await stream.aclose()
    assert await in_thread(database, "echo", word="x") == {"word": "x"}


async def test_a_client_that_leaves_during_a_long_command_is_no_fault(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    ended = trio.Event()

    async def forever(_: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        async def tell() -> None:
            while True:
                await report(1, 2)

        try:
            async with trio.open_nursery() as inner:
                inner.start_soon(tell)
                await trio.sleep_forever()
        finally:
            ended.set()

    database = tmp_path / "x.db"
    with structlog.testing.capture_logs() as logged:
        await nursery.start(Control(database, {"forever": forever}).serve)
        stream = await trio.open_unix_socket(control.socket_path(database))
        await stream.send_all(b'{"command": "forever"}\n')
        await stream.receive_some(1)
        await stream.aclose()
        with trio.fail_after(10):
            await ended.wait()
            while not logged:
                await trio.lowlevel.checkpoint()
    assert [line["event"] for line in logged] == ["control_client_left"]


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    path = control.socket_path(tmp_path / "x.db")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(ControlUnusable, match="did not answer"):
            ask(tmp_path / "x.db", "echo", timeout_s=0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(
    ("owner", "mode", "asked"),
    [(65534, 0o755, True), (65534, 0o777, False), (0, 0o755, False)],
    ids=["the gateway's own user", "anyone may have put it there", "not the file's owner"],
)
def test_nothing_is_sent_to_another_user_who_listens_there(
    tmp_path: Path, owner: int, mode: int, *, asked: bool
) -> None:
    database = tmp_path / "x.db"
    database.touch()
    os.chown(database, owner, -1)
    tmp_path.chmod(mode)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control.socket_path(database)))
        os.seteuid(65534)
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        told: list[bytes] = []

        def answer() -> None:
            client, _ = listener.accept()
            # Who asks may be gone by then.
            with client, contextlib.suppress(OSError):
                told.append(client.recv(65_536))
                client.sendall(b'{"ok": true, "word": "x"}\n')

        other = threading.Thread(target=answer)
        other.start()
        if asked:
            assert ask(database, "echo", word="secret") == {"word": "x"}
        else:
            with pytest.raises(ControlUnusable, match="uid 65534"):
                ask(database, "echo", word="secret")
        other.join()
    assert (b"secret" in told[0]) == asked
