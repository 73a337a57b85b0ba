"""The web page of docs/events.md follows the stream from a site that the owner has allowed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.test_documents import SECRET, run_owner
from tests.test_events_document import GATEWAY, key_of, the

__all__ = ["browser", "chromium"]

pytestmark = needed


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    """A site with one page, which is put at `page` of its class."""

    class Site(BaseHTTPRequestHandler):
        page = ""

        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(self.page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_printed_page_shows_each_sms(
    site: ThreadingHTTPServer, browser: Browser, tmp_path: Path
) -> None:
    origin = f"http://127.0.0.1:{site.server_address[1]}"
    settings = {"HTTP_ALLOWED_ORIGINS": origin}
    with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
        receive(gateway, "makes the org")
        key = key_of(run_owner("phonegate key add myorg page --scope read", tmp_path))
        page = the("Streams", "html").replace(GATEWAY, gateway.url)
        assert "pgk_…" in page
        site.RequestHandlerClass.page = page.replace("pgk_…", key)  # type: ignore[attr-defined]
        browser.look(origin)
        number = 0

        def shown(_: object) -> bool:
            nonlocal number
            number += 1
            receive(gateway, f"<b>number</b> {number}")
            return "+15553334444: <b>number</b>" in browser.find("body").text

        browser.until(shown)
        browser.leave()


def receive(gateway: GatewayProcess, body: str) -> None:
    sms = {"address": "+15553334444", "body": body}
    pushed = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
    httpx.post(f"{gateway.url}/webhook", json=pushed, trust_env=False).raise_for_status()
