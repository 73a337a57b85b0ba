"""A small server of media on loopback, which answers each path as a test says."""

import ssl
from typing import Any

import attrs
import trio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@attrs.define
class Medium:
    """What a path is answered."""

    body: bytes = PNG
    content_type: str = "image/png"
    status: int = 200
    headers: tuple[str, ...] = ()
    gate: trio.Event | None = None
    """What it waits for before it answers."""
    breaks_off: bool = False


@attrs.define
class MediaServer:
    """Serves on a free port until cancelled."""

    media: dict[str, Medium] = attrs.field(factory=dict)
    port: int = 0
    asked: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    """Paths with the headers of the requests, in order."""
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, path: str, medium: Medium | None = None, **fields: Any) -> str:
        """Answers a path so from now on. Returns its address."""
        self.media[path] = Medium(**fields) if medium is None else medium
        return f"{self.url}{path}"

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._handle, [listener], task_status=task_status)

    async def _handle(self, plain: trio.SocketStream) -> None:
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = plain
        if self.tls is not None:
            stream = trio.SSLStream(plain, self.tls, server_side=True, https_compatible=True)
        try:
            await self._answer(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await stream.receive_some(65_536)
            if not piece:
                return
            head += piece
        first, *lines = head.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
        path = first.split(" ")[1]
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        self.asked.append((path, headers))
        medium = self.media.get(path, Medium(body=b"", status=404))
        if medium.gate is not None:
            await medium.gate.wait()
        lines = [
            f"HTTP/1.1 {medium.status} X",
            f"Content-Length: {len(medium.body) + medium.breaks_off}",
            f"Content-Type: {medium.content_type}",
            *medium.headers,
            "Connection: close",
            "\r\n",
        ]
        await stream.send_all("\r\n".join(lines).encode() + medium.body)
