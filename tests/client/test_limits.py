"""What answers in a gateway's place may do what it likes: the client ends all the same."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from phonegate.client import Gateway, connection
from phonegate.client.calls import all_pages
from phonegate.client.errors import NotAGateway, TimedOut
from phonegate.client.retries import NO_RETRIES
from phonegate.model.bounds import MAX_PAGE
from tests.client.script import MESSAGE, Script, answer, calls
from tests.patience import PATIENCE_S

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@contextmanager
def answering(write: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serves one request."""
    done = threading.Event()

    def serve() -> None:
        with closing(listener.accept()[0]) as peer:
            peer.recv(65_536)
            try:
                write(peer, done)
            except OSError:
                return

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_ANSWER", 1 << 20)

    def floods(peer: socket.socket, done: threading.Event) -> None:
        peer.sendall(HEAD)
        while not done.is_set():
            peer.sendall(b" " * 65_536)

    with (
        answering(floods) as url,
        Gateway(url, "s", retries=NO_RETRIES) as gateway,
        pytest.raises(NotAGateway, match="more than a gateway"),
    ):
        gateway.sims()


def test_an_answer_that_drips_is_given_up() -> None:
    def drips(peer: socket.socket, done: threading.Event) -> None:
        peer.sendall(HEAD)
        while not done.wait(0.02):
            peer.sendall(b" ")

    with (
        answering(drips) as url,
        Gateway(url, "s", retries=NO_RETRIES, timeout_s=0.3) as gateway,
        pytest.raises(TimedOut),
    ):
        gateway.sims()


def test_pages_that_repeat_are_not_read_for_ever() -> None:
    page = answer({"messages": [MESSAGE] * MAX_PAGE})
    script = Script([page, page])
    with pytest.raises(NotAGateway):
        script.run(all_pages(calls(), {}, 0, None))
