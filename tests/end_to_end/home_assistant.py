"""Home Assistant as an add-on meets it: what passes requests of its sidebar on, and the Supervisor.

Written after what `homeassistant/components/hassio/ingress.py` and `supervisor/api/ingress.py` do
with a request and its answer.
"""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp import web

from tests.patience import PATIENCE_S

PANEL = (
    '<!doctype html><link rel="icon" href="data:,"><title>Home</title>'
    '<iframe id="panel" src="{}console"></iframe>'
)

NOT_PASSED_ON = {
    "content-encoding",
    "content-length",
    "content-type",
    "transfer-encoding",
}


class HomeAssistant:
    """Serves add-ons under a path with a token that changes, and answers as the Supervisor."""

    def __init__(self, add_on: dict[str, Any], network: dict[str, Any]) -> None:
        self.add_on_url = ""
        self.port = 0
        self.answers = {"/addons/self/info": add_on, "/network/info": network}
        self.asked: list[tuple[str, str | None]] = []
        self.change_path()

    def change_path(self) -> None:
        """Gives the add-on another path, as installing it anew does."""
        self.path = f"/api/hassio_ingress/{secrets.token_urlsafe(16)}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/panel", self._panel)
        for path in self.answers:
            app.router.add_get(path, self._supervisor)
        app.router.add_route("*", "/api/hassio_ingress/{token}/{path:.*}", self._ingress)
        runner = web.AppRunner(app)
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            started.set()
            await stop.wait()
            await runner.cleanup()

    async def _panel(self, _: web.Request) -> web.Response:
        return web.Response(text=PANEL.format(f"{self.path}/"), content_type="text/html")

    async def _supervisor(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization")))
        return web.json_response({"result": "ok", "data": self.answers[request.path]})

    async def _ingress(self, request: web.Request) -> web.StreamResponse:
        if f"/api/hassio_ingress/{request.match_info['token']}" != self.path:
            raise web.HTTPServiceUnavailable
        assert request.transport is not None
        caller = ip_address(request.transport.get_extra_info("peername")[0])
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in NOT_PASSED_ON - {"content-type"}
        }
        # Home Assistant adds these, and the Supervisor adds Home Assistant's own address.
        headers["X-Ingress-Path"] = self.path
        headers["X-Forwarded-For"] = f"{caller}, {caller}"
        headers["X-Forwarded-Host"] = request.host
        headers["X-Forwarded-Proto"] = request.scheme
        headers["X-Remote-User-Name"] = "admin"
        async with self._session.request(
            request.method,
            f"{self.add_on_url}/{request.match_info['path']}",
            headers=headers,
            params=request.query,
            data=await request.read(),
            allow_redirects=False,
            skip_auto_headers={"Content-Type"},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            passed = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in NOT_PASSED_ON:
                    passed.headers.add(name, value)
            # Packed as the add-on sent it, which the original unpacks on its way.
            for name in ("Content-Encoding", "Content-Type"):
                if name in answer.headers:
                    passed.headers[name] = answer.headers[name]
            await passed.prepare(request)
            async for data, _ in answer.content.iter_chunks():
                await passed.write(data)
            return passed


@contextmanager
def home_assistant(add_on: dict[str, Any], network: dict[str, Any]) -> Iterator[HomeAssistant]:
    """Runs one, in a thread of its own."""
    made = HomeAssistant(add_on, network)
    started, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(started, stop)))
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        loop.close()
