"""The web application is loaded when the first request needs it."""

import threading
from typing import Any

import pytest
import trio
import trio.testing
from quart_trio import QuartTrio

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import Server
from phonegate.server.forwarded import SocketPeer
from phonegate.server.shell_on_demand import ShellOnDemand
from tests.captured_logs import capture_logs
from tests.server.site import App, Site, echo_phone


class Maker:
    """Makes an application, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.app = App()
        self.threads: list[threading.Thread] = []
        self._failures = failures

    def __call__(self) -> App:
        self.threads.append(threading.current_thread())
        if len(self.threads) <= self._failures:
            raise ImportError("no module named quartz")
        return self.app


async def start(nursery: trio.Nursery, make_app: Any) -> Site:
    server = Server(
        HttpSettings(bind=("127.0.0.1:0",)),
        TlsSettings(),
        make_app=make_app,
        serve_phone=echo_phone,
    )
    return Site(server, App(), await nursery.start(server.serve))


async def test_it_is_made_in_a_thread_once_by_the_first_requests(nursery: trio.Nursery) -> None:
    make_app = Maker()
    site = await start(nursery, make_app)
    assert not make_app.threads
    async with trio.open_nursery() as clients:
        for _ in range(10):
            clients.start_soon(site.get, "/who")
    assert len(make_app.threads) == 1
    assert make_app.threads[0] is not threading.main_thread()
    assert len(make_app.app.calls) == 10
    assert make_app.app.started == 1
    site.server.drain()


async def test_one_that_can_t_be_made_costs_its_request_and_is_tried_again(
    nursery: trio.Nursery,
) -> None:
    make_app = Maker(failures=2)
    site = await start(nursery, make_app)
    with capture_logs() as lines:
        for _ in range(2):
            answer = await site.get("/who")
            assert answer.status == 500
            assert answer.json["code"] == "internal_error"
    assert [line["event"] for line in lines] == ["app_unusable"] * 2
    assert "no module named quartz" in str(lines[0]["exc_info"])
    assert (await site.get("/who")).status == 200
    site.server.drain()


class PlayedShell:
    """A shell that answers nothing."""

    def __init__(self) -> None:
        self.draining = False
        self._stopped = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await self._stopped.wait()

    def drain(self) -> None:
        self.draining = True

    def stop(self) -> None:
        self._stopped.set()

    async def serve_request(self, *_: object) -> None:
        assert self.draining


async def test_one_that_is_loaded_while_the_server_drains_begins_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell, peer = PlayedShell(), SocketPeer(address="192.0.2.1", port=9, scheme="http")
    stream, _ = trio.testing.memory_stream_pair()
    on_demand = ShellOnDemand(App, HttpSettings(), ())
    monkeypatch.setattr(on_demand, "_make", lambda: shell)
    async with trio.open_nursery() as nursery:
        await nursery.start(on_demand.run)
        on_demand.drain()
        await on_demand.serve_request(stream, peer, b"")
        on_demand.stop()
    assert shell.draining


async def test_one_that_fails_to_start_costs_its_requests(nursery: trio.Nursery) -> None:
    app = QuartTrio("broken")

    @app.before_serving
    async def fail() -> None:
        raise OSError("no disk")

    site = await start(nursery, lambda: app)
    with capture_logs() as lines:
        assert (await site.get("/who")).status == 500
    assert "app_unusable" in [line["event"] for line in lines]
    site.server.drain()
