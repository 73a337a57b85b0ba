"""Takes pictures of all screens of the console: `python -m tests.end_to_end.console_screens OUT`.

It starts a real gateway with a small world (see `console_world`), with phones that are online,
webhooks of which one fails, and messages that wait for an approval. Each screen is taken at 360,
768 and 1440 px, by day and by night, and what is wrong with it is printed. Those of the documents
are taken by `python -m tests.documents.screens`.
"""

import argparse
import base64
import contextlib
import http.server
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import click
import httpx
import trio

from kit.gateway import GatewayProcess
from phonegate.operations.control_client import OwnerRequest, ask
from phonegate.pages.console.screens import MENU
from phonegate.phone.address import Address
from phonegate.phone.simulated_faults import Plan
from phonegate.phone.simulated_phone import SimulatedPhone
from tests.end_to_end.chromium import Browser
from tests.end_to_end.console_browser import SIZES, sign_in
from tests.end_to_end.console_world import (
    ANNA,
    CAR,
    KENJI,
    KITCHEN,
    NOA,
    OFFICE,
    ORG,
    PARENTS,
    SECRET,
    build,
)
from tests.patience import PATIENCE_S

QUIET: Final = {"hours": "23:00-06:00", "zone": "Europe/Berlin"}

OPERATOR_TOKEN: Final = "a-token-of-the-operator"

SETTINGS: Final = {
    "OPERATOR_TOKEN": OPERATOR_TOKEN,
    "WEBHOOKS_ALLOW": "127.0.0.0/8",
    "PACING_SEGMENTS_PER_MINUTE": 0,
}

OUTSIDE: Final = {
    "start": "/",
    "reference": "/reference",
    "sign-in": "/console/sign-in",
}
"""What is shown without a session."""

ADDRESS: Final = "https://sms.example.org"
"""Where the pictured gateway says that phones find it."""

WRITTEN: Final = {
    "to": "Anna, Mum & Dad, +15552000011",
    "text": "Dear {name|friend}, dinner is at 7 pm on Saturday. Can you come?",
}
"""What stands in the form for a new message."""

WITHIN: Final = {
    "compose": f"/compose?{urlencode(WRITTEN)}",
    "thread": f"/conversations/{quote(ANNA, safe='')}",
    "thread-rtl": f"/conversations/{quote(NOA, safe='')}",
    "search": "/conversations?q=appointment",
    "figures-month": "/figures?range=30d",
    "phone": "/phones/1",
    "phone-month": "/phones/1?period=30d",
    "pair": "/phones/pair",
    "webhook": "/webhooks/2",
    "hook": "/hooks/1",
    "hook-form": "/hooks/1/change",
    "first-steps": "/first-steps",
}
"""Beside the entries of the menu."""


class _Receiver(http.server.BaseHTTPRequestHandler):
    """A webhook's receiver: it takes what comes to /good, and fails all else."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        good = self.path == "/good"
        self.send_response(200 if good else 500)
        self.end_headers()
        self.wfile.write(b"ok" if good else b"Internal error: no such table: sms")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """Serves the receiver, whose address it gives."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def phones(url: str) -> Iterator[None]:
    """Keeps the phones of the world online, but for the one that is away."""
    scope = trio.CancelScope()
    up = threading.Event()

    async def run() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                for identity in (KITCHEN, OFFICE):
                    address = Address.parse(url, ORG, SECRET)
                    plan = Plan(delivery_reports=True, battery=True, reply=False)
                    phone = SimulatedPhone(address, identity=identity, plan=plan)
                    await nursery.start(phone.run)
                token.append(trio.lowlevel.current_trio_token())
                up.set()

    token: list[trio.lowlevel.TrioToken] = []
    thread = threading.Thread(target=trio.run, args=(run,), daemon=True)
    thread.start()
    assert up.wait(PATIENCE_S)
    yield
    token[0].run_sync_soon(scope.cancel)
    thread.join(PATIENCE_S)


def furnish(url: str, hooks: str) -> None:
    """Makes what people make by the API: keys, webhooks, assistants, and messages that wait."""
    with httpx.Client(base_url=url, headers={"X-Secret-Key": SECRET}, trust_env=False) as client:

        def post(path: str, body: dict[str, Any], key: str | None = None) -> Any:
            headers = {} if key is None else {"X-Secret-Key": key}
            answer = client.post(path, json=body, headers=headers, timeout=30)
            answer.raise_for_status()
            return answer.json()

        manager = post(f"/keys/{ORG}", {"name": "home-assistant"})["key"]
        post(f"/keys/{ORG}", {"name": "invoices", "scopes": ["send", "read"]})
        limits = {"hold": True, "per_day": 20}
        made_key = post(f"/keys/{ORG}", {"name": "ai-agent", "limits": limits})
        agent = made_key["key"]
        made = {"name": "n8n", "url": f"{hooks}/good", "events": ["message.*"]}
        post(f"/webhooks/{ORG}", made)
        broken = {"name": "crm", "url": f"{hooks}/sms", "events": ["message.received"]}
        post(f"/webhooks/{ORG}", {**broken, "shape": "flat"})
        mapping = {"to": [PARENTS], "text": "{title}", "when": ["status == firing"]}
        hook = post(f"/hooks/of/{ORG}", {"name": "Grafana", "mapping": mapping})["url"]
        post(hook[hook.index("/hooks/") :], {"title": "High load", "status": "resolved"})
        account = {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32}
        sender = {"name": "support", "provider": "twilio", "phone_numbers": ["+13125550001"]}
        post("/assistants", {**sender, "credentials": account}, manager)
        for to, text in (
            (PARENTS, "Shall I book the table for Sunday at one?"),
            ("+15552000011", "Your appointment was moved to Friday at 11:00."),
        ):
            post(f"/send/{ORG}", {"to": to, "body": text}, agent)
        # After it has sent: the pictures may be taken within these hours.
        quiet = {"limits": {**limits, "quiet_hours": QUIET}}
        client.patch(f"/keys/{ORG}/{made_key['id']}", json=quiet).raise_for_status()
        away = {"to": PARENTS, "body": "I am on my way.", "sim": CAR.sims[0].number}
        post(f"/send/{ORG}", away)
        for number, text in (
            ("+15552000011", "Friday is fine, thanks."),
            (KENJI, "資料を送りました。"),
            (ANNA, "Wo bist du? 🙂"),
        ):
            post("/webhook", {"org_id": ORG, "messages": [{"address": number, "body": text}]})


class Photographer:
    """Takes pictures, and says what is wrong on a screen.

    Args:
        browser: What shows the screens.
        out: The folder for the pictures, which is made.
        wants: Chooses pictures by their names, such as `thread-360-dark`.
        quality: As WebP of this quality, 0 to 100. None: as PNG.
    """

    def __init__(
        self,
        browser: Browser,
        out: Path,
        wants: Callable[[str], bool] = lambda _: True,
        quality: int | None = None,
    ) -> None:
        self.browser = browser
        self._out = out
        self._wants = wants
        self._quality = quality
        out.mkdir(parents=True, exist_ok=True)
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})

    def take(self, name: str, address: str) -> None:
        shots = [
            (f"{name}-{width}-{scheme}", width, scheme)
            for scheme in ("light", "dark")
            for width in SIZES
        ]
        wanted = [shot for shot in shots if self._wants(shot[0])]
        if not wanted:
            return
        browser = self.browser
        browser.driver.get(address)
        for shot, width, scheme in wanted:
            browser.sim_selector(scheme)
            browser.resize(width)
            time.sleep(0.15)  # the page's scripts draw what depends on the width
            self._save(shot)
            wide = browser.run("return document.documentElement.scrollWidth")
            if wide > width:
                click.echo(f"{name}: {wide} px wide at {width}")
        for complaint in browser.complaints():
            click.echo(f"{name}: {complaint['message']}")

    def _save(self, name: str) -> None:
        if self._quality is None:
            self.browser.driver.save_screenshot(str(self._out / f"{name}.png"))
            return
        form = {"format": "webp", "quality": self._quality}
        shot = self.browser.driver.execute_cdp_cmd("Page.captureScreenshot", form)
        (self._out / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))


def read_arguments() -> argparse.Namespace:
    """Reads what is wanted."""
    parser = argparse.ArgumentParser(description="Takes pictures of all screens of the console.")
    parser.add_argument("out", type=Path, help="the folder for them, which is made")
    parser.add_argument(
        "--only", action="append", default=[], metavar="SCREEN", help="such as thread; repeatable"
    )
    parser.add_argument(
        "--webp", type=int, metavar="QUALITY", help="as WebP of this quality, 0 to 100, and not PNG"
    )
    return parser.parse_args()


def take_new(camera: Photographer, folder: Path) -> None:
    """Takes the pictures of a gateway that has just been started."""
    with GatewayProcess(folder / "empty.db") as empty:
        camera.take("new", empty.url)
        (link, *_) = ask(empty.database, OwnerRequest("GET", "/set-up"))["links"]
        camera.take("set-up", link)


def take_all(
    camera: Photographer, folder: Path, look: Callable[[GatewayProcess], None] = lambda _: None
) -> None:
    """Makes the world, and takes all pictures of it.

    Args:
        camera: What takes them.
        folder: Where the files of the gateway are.
        look: Is called with the gateway while all of it is there.
    """
    browser = camera.browser
    take_new(camera, folder)
    with contextlib.ExitStack() as stack:
        database = folder / "phonegate.db"
        trio.run(build, database, time.time_ns() // 1_000_000)
        hooks = stack.enter_context(receiver())
        gateway = stack.enter_context(GatewayProcess(database, settings=SETTINGS))
        stack.enter_context(phones(gateway.url))
        furnish(gateway.url, hooks)
        for screen, path in OUTSIDE.items():
            camera.take(screen, gateway.url + path)
        sign_in(browser, gateway.url, ORG, SECRET)
        own = {entry.path.strip("/"): entry.path for entry in MENU if entry.scope != "owner"}
        for screen, path in {**own, **WITHIN}.items():
            camera.take(screen, f"{gateway.url}/console{path}")
        browser.driver.get(f"{gateway.url}/console/phones/pair")
        browser.find("input[name=name]").send_keys("Living room")
        browser.click("main form button")
        browser.until(lambda driver: not driver.current_url.endswith("/pair"))
        invitation = browser.driver.current_url.partition("?")[0]
        camera.take("invitation", f"{invitation}?address={quote(ADDRESS, safe='')}")
        look(gateway)
        browser.driver.get(f"{gateway.url}/console/sessions")
        browser.click("[data-sign-out] button")
        sign_in(browser, gateway.url, "", OPERATOR_TOKEN)
        for entry in MENU:
            if entry.scope == "owner":
                camera.take(entry.path.strip("/"), f"{gateway.url}/console{entry.path}")


def main(wanted: argparse.Namespace) -> None:
    """Takes the pictures that the command line asks for."""
    only: frozenset[str] = frozenset(wanted.only)
    with tempfile.TemporaryDirectory(prefix="console-") as name:
        browser = Browser(Path(name) / "profile")
        try:
            take_all(
                Photographer(
                    browser,
                    wanted.out,
                    lambda shot: not only or shot.rsplit("-", 2)[0] in only,
                    wanted.webp,
                ),
                Path(name),
            )
        finally:
            browser.driver.quit()
    click.echo(f"{len(list(wanted.out.iterdir()))} pictures in {wanted.out}")


if __name__ == "__main__":
    main(read_arguments())
