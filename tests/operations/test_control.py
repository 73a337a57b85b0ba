"""The control socket, over real sockets."""

import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from phonegate.api.endpoint import Request
from phonegate.api.reply import Reply
from phonegate.http.body_stream import BodyStream, Produce, SendPiece
from phonegate.model.refusals import FieldProblem
from phonegate.operations import control
from phonegate.operations.control import Control
from phonegate.operations.control_client import (
    ControlRefused,
    ControlUnusable,
    NotServing,
    OwnerRequest,
    ask,
)
from phonegate.operations.control_path import socket_path
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

PROBLEMS = (FieldProblem("to", "is short"), FieldProblem("zone", "is on no map"))


def reply(status: int, **fields: Any) -> Reply:
    return Reply(
        status=status,
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(fields).encode(),
    )


@attrs.define
class Played:
    """Answers as a pipeline does."""

    stream: Produce | None = None

    async def reply(self, request: Request, body: Any) -> Reply:
        match request.path:
            case "/echo":
                return reply(200, ok=True, **json.loads(await body(lambda _: None)))
            case "/wrong":
                errors = [attrs.asdict(one) for one in PROBLEMS]
                detail = "to is short. (1 more in errors.)"
                return reply(400, ok=False, detail=detail, code="bad_input", errors=errors)
            case "/stream" if self.stream is not None:
                body = BodyStream(self.stream, lambda _: None)
                return attrs.evolve(reply(200), body=b"", stream=body)
            case "/break":
                raise ZeroDivisionError(request.path)
        return reply(404, ok=False, detail="There is no it.", code="not_found")


class App:
    """The application over a played pipeline."""

    def __new__(cls, stream: Produce | None = None) -> Any:
        from phonegate.operations.app import OperatorApp  # noqa: PLC0415

        return OperatorApp(Played(stream))  # type: ignore[arg-type] # it asks for no more


async def in_thread(database: Path, command: OwnerRequest, **more: Any) -> dict[str, Any]:
    return await trio.to_thread.run_sync(lambda: ask(database, command, **more))


def echo(word: str) -> OwnerRequest:
    return OwnerRequest("POST", "/echo", {"word": word})


async def test_ask_gets_the_answer(tmp_path: Path, nursery: trio.Nursery) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, App).serve)
    assert await in_thread(database, echo("héllo\n")) == {"word": "héllo\n"}


async def test_ask_gets_the_progress(tmp_path: Path, nursery: trio.Nursery) -> None:
    async def produce(send: SendPiece) -> None:
        for done in (1, 2):
            await send(json.dumps({"progress": [done, 2]}).encode() + b"\n")
        await send(b'{"ok": true, "word": "x"}\n')

    database, seen = tmp_path / "x.db", list[tuple[int, int]]()
    await nursery.start(Control(database, lambda: App(produce)).serve)

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    answer = await in_thread(database, OwnerRequest("GET", "/stream"), progress=progress)
    assert (answer, seen) == ({"word": "x"}, [(1, 2), (2, 2)])


async def test_refusals_keep_their_sentence_and_code(tmp_path: Path, nursery: trio.Nursery) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, App).serve)
    with pytest.raises(ControlRefused, match="There is no it") as caught:
        await in_thread(database, OwnerRequest("GET", "/it"))
    assert (caught.value.code, caught.value.problems) == ("not_found", ())
    with pytest.raises(ControlRefused, match="to is short") as caught:
        await in_thread(database, OwnerRequest("GET", "/wrong"))
    assert caught.value.problems == PROBLEMS
    with pytest.raises(ControlRefused, match="failed over this"):
        await in_thread(database, OwnerRequest("GET", "/break"))
    assert await in_thread(database, echo("alive")) == {"word": "alive"}


async def test_a_stream_that_ends_early_is_no_answer(tmp_path: Path, nursery: trio.Nursery) -> None:
    async def produce(send: SendPiece) -> None:
        await send(b'{"progress": [1, 2]}\n')

    database = tmp_path / "x.db"
    await nursery.start(Control(database, lambda: App(produce)).serve)
    with pytest.raises(ControlUnusable, match="broke off"):
        await in_thread(database, OwnerRequest("GET", "/stream"), progress=lambda *_: None)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotServing):
        ask(tmp_path / "x.db", echo("x"))
    with pytest.raises(NotServing):
        ask(tmp_path / "missing" / "x.db", echo("x"))
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "x.db.sock"))
    with pytest.raises(NotServing):
        ask(tmp_path / "x.db", echo("x"))


async def test_mode_stale_socket_and_removal(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    path = socket_path(database)
    assert path == tmp_path / "x.db.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    before = os.umask(0o022)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(Control(database, App).serve)
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
            assert await in_thread(database, echo("x")) == {"word": "x"}
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
    await nursery.start(Control(tmp_path / "x.db", App).serve)
    assert await in_thread(tmp_path / "link.db", echo("x")) == {"word": "x"}


async def test_something_else_in_its_place_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    path = socket_path(database)
    path.write_text("mine")
    async with trio.open_nursery() as nursery:
        await nursery.start(Control(database, App).serve)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("parts", [["d" * 100, "e" * 100, "x.db"], ["n" * 240 + ".db"]])
async def test_long_paths(tmp_path: Path, nursery: trio.Nursery, parts: list[str]) -> None:
    database = tmp_path.joinpath(*parts)
    database.parent.mkdir(parents=True, exist_ok=True)
    await nursery.start(Control(database, App).serve)
    assert socket_path(database).exists()
    assert await in_thread(database, echo("x")) == {"word": "x"}


@pytest.mark.parametrize(
    "request_",
    [
        b"\n\n\n\n\r\n\r\n",
        b"[]\r\n\r\n",
        b'{"command": "echo"}\r\n\r\n',
        b"\xff\xfe\r\n\r\n",
        b"GET /echo\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n[",
    ],
)
async def test_a_bad_request_is_answered_and_hurts_nobody(
    tmp_path: Path, nursery: trio.Nursery, request_: bytes
) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, App).serve)
    with trio.fail_after(PATIENCE_S):
        stream = await trio.open_unix_socket(socket_path(database))
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(request_)
            received = b""
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await stream.receive_some():
                    received += data
    status = int(received.split(b" ", 2)[1])
    assert 400 <= status <= 500
    assert json.loads(received.partition(b"\r\n\r\n")[2])["ok"] is False
    assert await in_thread(database, echo("alive")) == {"word": "alive"}


async def test_silent_clients_are_let_go_and_more_than_a_few_wait(
    tmp_path: Path, nursery: trio.Nursery, settable_clock: trio.testing.MockClock
) -> None:
    database = tmp_path / "x.db"
    settings = attrs.evolve(control.SETTINGS, head_timeout_s=20.0)
    one = Control(database, App, settings=settings)
    await nursery.start(one.serve)
    idle = [await trio.open_unix_socket(socket_path(database)) for _ in range(control.MAX_CLIENTS)]
    answers: list[dict[str, Any]] = []

    async def ask_beside_them() -> None:
        answers.append(await in_thread(database, echo("x")))

    with trio.fail_after(PATIENCE_S):
        while len(one._connections._waiting) < control.MAX_CLIENTS:  # noqa: ASYNC110 - no event
            await trio.sleep(0.005)
        async with trio.open_nursery() as asking:
            asking.start_soon(ask_beside_them)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert answers == []
            settable_clock.jump(20.0)
    assert answers == [{"word": "x"}]
    for stream in idle:
        await stream.aclose()


async def test_a_client_that_leaves_in_the_middle_hurts_nobody(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    database = tmp_path / "x.db"
    await nursery.start(Control(database, App).serve)
    for _ in range(control.MAX_CLIENTS * 2):
        stream = await trio.open_unix_socket(socket_path(database))
        await stream.send_all(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.aclose()
    assert await in_thread(database, echo("x")) == {"word": "x"}


async def test_a_client_that_leaves_during_a_long_command_is_no_fault(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    ended = trio.Event()

    async def forever(send: SendPiece) -> None:
        try:
            while True:
                await send(b'{"progress": [1, 2]}\n')
        finally:
            ended.set()

    database = tmp_path / "x.db"
    with capture_logs() as logged:
        await nursery.start(Control(database, lambda: App(forever)).serve)
        stream = await trio.open_unix_socket(socket_path(database))
        await stream.send_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.receive_some(1)
        await stream.aclose()
        with trio.fail_after(PATIENCE_S):
            await ended.wait()
    assert await in_thread(database, echo("alive")) == {"word": "alive"}
    assert [line for line in logged if line["log_level"] in {"warning", "error"}] == []


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(ControlUnusable, match="did not answer"):
            ask(tmp_path / "x.db", echo("x"), timeout_s=0.01)


def serve_once(listener: socket.socket, answer: bytes, received: list[bytes]) -> Callable[[], None]:
    def serve() -> None:
        client, _ = listener.accept()
        # Who asks may be gone by then.
        with client, contextlib.suppress(OSError):
            while b"}" not in b"".join(received) and (data := client.recv(65_536)):
                received.append(data)
            client.sendall(answer)

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\n",
        b'{"ok": true}\n',
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}",
        b"",
    ],
)
def test_what_another_program_answers_there(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(tmp_path / "x.db")))
        listener.listen()
        other = threading.Thread(target=serve_once(listener, answer, []))
        other.start()
        with pytest.raises(ControlUnusable, match="broke off"):
            ask(tmp_path / "x.db", echo("x"))
        other.join()


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
        listener.bind(str(socket_path(database)))
        os.seteuid(65534)
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        received: list[bytes] = []
        body = b'{"ok": true, "word": "x"}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        other = threading.Thread(target=serve_once(listener, answer, received))
        other.start()
        if asked:
            assert ask(database, echo("secret")) == {"word": "x"}
        else:
            with pytest.raises(ControlUnusable, match="uid 65534"):
                ask(database, echo("secret"))
        other.join()
        assert (b"secret" in b"".join(received)) == asked
