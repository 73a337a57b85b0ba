"""Home Assistant, from PyPI: an automation that a webhook triggers, and one that answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
from websockets.sync.client import connect

from trials.recipes import document
from trials.recipes.ground import SENDER, Ground, seen
from trials.recipes.recipe import Installer, WebProgram, free_port

SECTION: Final = "Home Assistant"
TEXTS: Final = (
    "Dinner at eight?",
    'with "quotes" and {{ 7 * 6 }}',
    "🙂 ü\nsecond line",
    # Home Assistant makes numbers, lists and objects of templates that look so.
    "123456",
    "[1, 2]",
    "{'a': 1}",
)
OWNER: Final = ("owner", "a-password-of-no-one")


@attrs.frozen
class HomeAssistant:
    """The recipe of Home Assistant.

    Args:
        python: A Python that the newest Home Assistant from PyPI runs with.
    """

    python: str
    name: str = "home-assistant"

    def install(self, folder: Path) -> str:
        installer = Installer(folder)
        program = folder / "bin" / "hass"
        if not program.exists():
            installer.run(self.python, "-m", "venv", str(folder))
            installer.run(str(folder / "bin" / "pip"), "install", "-q", "homeassistant")
        return f"Home Assistant {installer.run(str(program), '--version').strip()}"

    def run(self, ground: Ground, folder: Path) -> Iterator[str]:
        port = free_port()
        config = ground.folder / "home-assistant"
        config.mkdir(exist_ok=True)
        key = ground.key("phonegate key add myorg home --scope send")
        automation = document.block(SECTION, "yaml").replace(
            "http://192.168.1.10:8080", ground.gateway.url
        )
        head = f"http:\n  server_host: 127.0.0.1\n  server_port: {port}\n"
        needed = "api:\nauth:\nwebhook:\nwebsocket_api:\npersistent_notification:\n"
        (config / "configuration.yaml").write_text(head + needed + automation)
        (config / "secrets.yaml").write_text(f"phonegate: {key}\n")
        hass = str(folder / "bin" / "hass")
        Installer(config).run(hass, "--script", "auth", "-c", str(config), "add", *OWNER)
        with WebProgram(
            [hass, "-c", str(config)], port=port, ready="/manifest.json", folder=config
        ) as program:
            yield from self._look(ground, program)

    def _look(self, ground: Ground, program: WebProgram) -> Iterator[str]:
        token = _sign_in(program.url)
        webhook, _ = ground.webhook(SECTION, ("http://192.168.1.20:8123", program.url))
        for text in TEXTS:
            ground.receive(text)
        shown = seen("a notification for each", lambda: _notifications(program, token, len(TEXTS)))
        assert sorted(shown) == sorted(f"{SENDER}: {text}" for text in TEXTS), shown
        yield f"{len(TEXTS)} SMS at once are as many notifications, such as {shown[0]!r}"
        ground.receive("Ping")
        seen("the answer", lambda: "pong" in ground.sent())
        yield "to the SMS 'Ping' the automation sent 'pong' through the gateway"
        status = {one["status"] for one in ground.deliveries(webhook)}
        assert status == {200}, status
        path = re.sub(r"sms-\w+", "no-such-id", document.block(SECTION, "sh").split()[4])
        url = path.replace("http://192.168.1.20:8123", program.url)
        made = ground.owner(f"phonegate webhook add myorg {url} --shape flat")
        other = made.split()[1]
        yield f"a test of a webhook with an unknown id: {ground.test(other)}"


def _sign_in(url: str) -> str:
    """Signs in as a browser does, and returns an access token."""
    name, password = OWNER
    client = {"client_id": url + "/"}
    with httpx.Client(base_url=url, trust_env=False) as http:
        begin = {**client, "handler": ["homeassistant", None], "redirect_uri": url + "/"}
        flow = http.post("/auth/login_flow", json=begin).json()["flow_id"]
        said = {**client, "username": name, "password": password}
        code = http.post(f"/auth/login_flow/{flow}", json=said).json()["result"]
        asked = {**client, "grant_type": "authorization_code", "code": code}
        token: str = http.post("/auth/token", data=asked).json()["access_token"]
        return token


def _notifications(program: WebProgram, token: str, number: int) -> list[str]:
    """Returns what the bell of Home Assistant shows once it is so many."""
    with connect(f"ws://127.0.0.1:{program.port}/api/websocket", proxy=None) as socket:
        _answer(socket.recv())
        socket.send(json.dumps({"type": "auth", "access_token": token}))
        _answer(socket.recv())
        socket.send(json.dumps({"id": 1, "type": "persistent_notification/get"}))
        shown = _answer(socket.recv())["result"]
    found = [str(one["message"]) for one in shown if one["title"] == "SMS"]
    return found if len(found) >= number else []


def _answer(text: Any) -> Any:
    return json.loads(text)
