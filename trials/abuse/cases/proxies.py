"""nginx and Caddy in front of a gateway, each with a log of what it took for a request."""

import contextlib
import json
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import attrs
import trio

from trials.abuse.victim import Unavailable

CASES = ("nginx", "caddy")
START_S = 20.0

# Bodies are passed on as they come: with buffers in between, less could go wrong.
NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/errors warn;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format seen escape=json '{{"client":"$remote_addr","target":"$request"}}';
    upstream phonegate {{ server 127.0.0.1:{gateway}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        access_log {folder}/seen seen;
        location / {{
            proxy_pass http://phonegate;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""

CADDY = """\
{{
    admin off
    auto_https off
    storage file_system {folder}
}}
http://:{port} {{
    bind 127.0.0.1
    log {{
        output file {folder}/seen
        format json
    }}
    reverse_proxy 127.0.0.1:{gateway}
}}
"""


@attrs.frozen
class Proxy:
    """One that runs."""

    name: str
    port: int
    folder: Path

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, name: str, gateway: int) -> AsyncIterator["Proxy"]:
        """Starts the proxy, and stops it at the end of the block.

        Raises:
            Unavailable: It isn't installed.
        """
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise Unavailable(f"{name} is not installed")
        with tempfile.TemporaryDirectory(prefix="phonegate-proxy-") as made:
            folder = Path(made)
            port = _free_port()
            file = folder / name
            template = {"nginx": NGINX, "caddy": CADDY}[name]
            file.write_text(template.format(folder=folder, port=port, gateway=gateway))
            words = {
                "nginx": ["-p", made, "-e", f"{made}/errors", "-c", str(file)],
                "caddy": ["run", "--adapter", "caddyfile", "--config", str(file)],
            }[name]
            home = {"HOME": made, "XDG_DATA_HOME": made, "XDG_CONFIG_HOME": made}
            async with trio.open_nursery() as nursery:
                run = partial(
                    trio.run_process,
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                    env=home,
                )
                nursery.start_soon(run, [program, *words])
                with trio.fail_after(START_S):
                    while not await _listens(port):  # noqa: ASYNC110 - nothing tells
                        await trio.sleep(0.02)
                yield cls(name, port, folder)
                nursery.cancel_scope.cancel()

    def seen(self) -> dict[str, list[str]]:
        """Returns the targets of all that it took for requests, by the client's address."""
        found: dict[str, list[str]] = defaultdict(list)
        path = self.folder / "seen"
        for line in path.read_text().splitlines() if path.exists() else ():
            seen = json.loads(line)
            if self.name == "nginx":
                found[seen["client"]].append(seen["target"])
            elif "request" in seen:
                request = seen["request"]
                found[request["remote_ip"]].append(request["uri"])
        return found


async def _listens(port: int) -> bool:
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
