"""The Apprise API, from its sources: it passes SMS on to a service of Apprise's."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import attrs
import httpx

from trials.recipes import document
from trials.recipes.ground import SENDER, Ground, seen
from trials.recipes.recipe import Installer, NotInstalled, WebProgram, free_port

SECTION: Final = "Apprise"
PACKAGES: Final = ("django", "gunicorn[gevent]", "requests", "django-prometheus", "cryptography")


@attrs.frozen
class AppriseApi:
    """The recipe of the Apprise API, which no registry has.

    Args:
        python: A Python of 3.12 or newer.
        sources: Its checkout. Empty: there is none.
    """

    python: str
    sources: str
    name: str = "apprise"

    def install(self, folder: Path) -> str:
        if not self.sources:
            raise NotInstalled("no registry has it: give a checkout by --apprise-api")
        installer = Installer(folder)
        if not (folder / "bin" / "gunicorn").exists():
            installer.run(self.python, "-m", "venv", str(folder))
            wanted = Path(self.sources, "requirements.txt").read_text().splitlines()
            (apprise,) = (line for line in wanted if line.startswith("apprise "))
            pip = str(folder / "bin" / "pip")
            installer.run(pip, "install", "-q", *PACKAGES, apprise.replace(" ", ""))
        lines = Path(self.sources, "pyproject.toml").read_text().splitlines()
        (version,) = (line.split('"')[1] for line in lines if line.startswith("version = "))
        return f"Apprise API {version}"

    def run(self, ground: Ground, folder: Path) -> Iterator[str]:
        port = free_port()
        home = ground.folder / "apprise"
        variables = {
            "APPRISE_CONFIG_DIR": str(home),
            "APPRISE_ATTACH_DIR": str(home / "attach"),
            "DJANGO_SETTINGS_MODULE": "core.settings",
            "HOME": str(ground.folder),
            "PATH": os.environ["PATH"],
        }
        gunicorn = str(folder / "bin" / "gunicorn")
        with (
            _service() as (service, arrived),
            WebProgram(
                [gunicorn, "-b", f"127.0.0.1:{port}", "core.wsgi"],
                port=port,
                ready="/",
                folder=Path(self.sources, "apprise_api"),
                environment=variables,
            ) as program,
        ):
            saved = httpx.post(f"{program.url}/add/sms", data={"urls": service}, trust_env=False)
            saved.raise_for_status()
            webhook, _ = ground.webhook(SECTION, ("http://192.168.1.20:8000", program.url))
            ground.receive("Dinner at eight?")
            seen("the notification", lambda: bool(arrived))
            wanted = {"title": SENDER, "message": "Dinner at eight?", "type": "info"}
            assert wanted.items() <= arrived[0].items(), arrived
            yield f"the service of Apprise got {arrived[0]}"
            assert seen("an answer", lambda: ground.deliveries(webhook))[0]["status"] == 200
        key = ground.key("phonegate key add myorg apprise --scope send")
        command = document.block(SECTION, "sh", "apprise -b")
        command = command.replace("192.168.1.10:8080", f"127.0.0.1:{ground.gateway.port}")
        Installer(ground.folder).run(
            "bash",
            "-c",
            command.replace("apprise", str(folder / "bin" / "apprise"), 1).replace("pgk_…", key),
        )
        assert ground.sent() == ["The backup failed"], ground.sent()
        yield "the command apprise sent an SMS"


@contextmanager
def _service() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Runs a service that Apprise knows, and collects what arrives there."""
    arrived: list[dict[str, Any]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            arrived.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_address[1]}/", arrived
        server.shutdown()
