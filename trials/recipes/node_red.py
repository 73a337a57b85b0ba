"""Node-RED, from npm: a flow that shows each SMS, and refuses callers without its token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from trials.recipes import document
from trials.recipes.ground import SENDER, Ground, seen
from trials.recipes.recipe import Installer, WebProgram, free_port

SECTION: Final = "Node-RED"
TOKEN: Final = "A_LONG_RANDOM_TOKEN"
"""As the document prints it."""


@attrs.frozen
class NodeRed:
    """The recipe of Node-RED. Its fourth version runs with the Node of Debian's neighbours."""

    name: str = "node-red"

    def install(self, folder: Path) -> str:
        installer = Installer(folder)
        if not self._program(folder).exists():
            installer.run("npm", "init", "-y")
            installer.run("npm", "install", "--no-audit", "--no-fund", "node-red@4")
        shown = installer.run("node", str(self._program(folder)), "--help")
        return shown.splitlines()[0]

    def run(self, ground: Ground, folder: Path) -> Iterator[str]:
        port = free_port()
        home = ground.folder / "node-red"
        home.mkdir(exist_ok=True)
        (home / "flows.json").write_text(document.block(SECTION, "json node-red"))
        command = ["node", str(self._program(folder)), "-u", str(home), "-p", str(port)]
        with WebProgram(
            [*command, "-D", "uiHost=127.0.0.1", "flows.json"],
            port=port,
            ready="/",
            says="Started flows",
            folder=folder,
            environment={"SMS_TOKEN": TOKEN},
        ) as program:
            address = ("http://192.168.1.20:1880", program.url)
            webhook, _ = ground.webhook(SECTION, address)
            ground.receive("Dinner at eight?")
            line = seen("the SMS", lambda: program.line("Dinner at eight?"))
            assert line.endswith(f"[debug:SMS] {SENDER}: Dinner at eight?"), line
            yield f"the log of Node-RED shows: {line}"
            assert seen("an answer", lambda: ground.deliveries(webhook))[0]["status"] == 204
            wrong, _ = ground.webhook(SECTION, address, (TOKEN, "another"))
            yield f"a test with a wrong token: {ground.test(wrong)}"
            assert ground.deliveries(wrong)[0]["status"] == 401

    def _program(self, folder: Path) -> Path:
        return folder / "node_modules" / "node-red" / "red.js"
