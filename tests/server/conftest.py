import functools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import Server
from tests.patience import PATIENCE_S

from .site import App, Site, echo_phone

StartServer = Callable[..., Awaitable[Site]]

# One CA for the session: its keys take longer to make than most tests to run.
_authority = functools.cache(trustme.CA)


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    issued = _authority().issue_cert("127.0.0.1", "localhost")
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    return TlsSettings(certificate=str(certificate), key=str(key))


@pytest.fixture
def trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    _authority().configure_trust(context)
    return context


@pytest.fixture
def authority_file(tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    _authority().cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def start_server(nursery: trio.Nursery) -> AsyncIterator[StartServer]:
    sites: list[Site] = []

    async def opened(
        *,
        app: Any = None,
        serve_phone: Any = echo_phone,
        fast_pipeline: Any = None,
        rate_limits: Any = None,
        tls: TlsSettings | None = None,
        trust: ssl.SSLContext | None = None,
        waits: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Site:
        settings = {"bind": ("127.0.0.1:0",), "head_timeout_s": PATIENCE_S, **settings}
        app = App() if app is None else app
        server = Server(
            HttpSettings(**settings),
            tls or TlsSettings(),
            make_app=lambda: app,
            serve_phone=serve_phone,
            fast_pipeline=fast_pipeline,
            rate_limits=rate_limits,
            **(waits or {}),
        )

        site = Site(server, app, [], trust)

        async def serve(task_status: trio.TaskStatus[Any]) -> None:
            await server.serve(task_status=task_status)
            site.done.set()

        site.bound = await nursery.start(serve)
        # What the process holds is compared with what it holds now.
        await server._shell._load()
        sites.append(site)
        return site

    yield opened
    for site in sites:
        site.server.drain()
