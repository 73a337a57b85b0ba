"""A page that follows events by the browser's own EventSource, over a gateway that is killed."""

import itertools
from pathlib import Path

import httpx

from kit.gateway import GatewayProcess
from tests.end_to_end.chromium import Browser, chromium, needed

__all__ = ["chromium"]

pytestmark = needed

ORG, SECRET = "myorg", "my-secret-key-123"

FOLLOW = """
window.got = [];
window.opened = 0;
window.source = new EventSource(arguments[0]);
source.onopen = () => { opened += 1; };
source.addEventListener("message.received", (event) => {
  got.push([event.lastEventId, JSON.parse(event.data).data.message.body]);
});
source.addEventListener("gap", () => got.push(["gap", "gap"]));
source.onmessage = (event) => got.push(["message", event.data]);
"""

_dates = itertools.count(1_700_000_000_000)


def push(gateway: GatewayProcess, body: str) -> None:
    sms = {"address": "+15551112222", "body": body, "date": next(_dates)}
    call = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
    assert httpx.post(f"{gateway.url}/webhook", json=call).json()["stored"] == 1


def test_a_page_misses_nothing_and_sees_nothing_twice(chromium: Browser, tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"

    def bodies() -> list[str]:
        return [body for _, body in chromium.run("return got")]

    with GatewayProcess(database) as gateway:
        port = gateway.port
        push(gateway, "before")
        # The page whose policy lets it ask the gateway.
        chromium.look(f"{gateway.url}/docs")
        # The credential stands in the path, since an EventSource can set no header.
        chromium.run(FOLLOW, f"/events/{ORG}/{SECRET}?types=message.received")
        chromium.until(lambda _: chromium.run("return opened") == 1)
        # Before its first event: the browser knows nevertheless where to go on.
        gateway.kill()
    with GatewayProcess(database, port=port) as gateway:
        push(gateway, "while it was away")
        chromium.until(lambda _: bodies() == ["while it was away"])
        push(gateway, "live")
        chromium.until(lambda _: bodies() == ["while it was away", "live"])
        gateway.kill()
    with GatewayProcess(database, port=port) as gateway:
        push(gateway, "again")
        chromium.until(lambda _: len(bodies()) >= 3)
        assert bodies() == ["while it was away", "live", "again"]
        ids = [int(last) for last, _ in chromium.run("return got")]
        assert ids == sorted(set(ids))
        assert chromium.run("return opened") == 3
        chromium.run("source.close()")
        gateway.stop()
