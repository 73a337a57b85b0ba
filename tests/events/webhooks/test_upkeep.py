from pathlib import Path

import pytest
import trio

from phonegate.domain.status_callbacks import KEPT_MS
from phonegate.events.webhooks import upkeep
from phonegate.events.webhooks.upkeep import Upkeep, UpkeepTimings
from phonegate.model.times import DAY_MS
from tests.events.webhooks.receiver import Receiver, http
from tests.events.webhooks.site import Site


async def test_the_log_keeps_its_newest_and_what_waits(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MOST_LOGGED", 3)
    monkeypatch.setattr(upkeep, "ERASED_AT_ONCE", 2)
    receiver = Receiver()
    receiver.act = lambda call: http(400 if call.event["data"]["phone"]["phone"] == 1 else 200)
    await nursery.start(receiver.run)
    site = Site.make(tmp_path)
    await nursery.start(site.run)
    webhook = await site.webhook(receiver.url())
    await site.happen(*range(1, 9))
    found = await site.settled(webhook, 8)
    waiting = [one.n for one in found if one.next_at is not None]
    assert len(waiting) == 1
    keeper = Upkeep(
        site.database,
        site.courier,
        log_days=1,
        now_ms=site.clock,
        timings=UpkeepTimings(round_s=0.01, pause_s=0.0),
    )
    await nursery.start(keeper.run)
    kept = await site.until_logged(webhook, lambda found: len(found) == 4)
    assert [one.n for one in kept] == sorted({*waiting, *(one.n for one in found[-3:])})
    site.clock.ahead_ms = 2 * DAY_MS
    await site.until_logged(webhook, lambda found: all(one.next_at is not None for one in found))


async def test_the_log_of_a_removed_webhook_goes_wholly(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ERASED_AT_ONCE", 2)
    receiver = Receiver()
    await nursery.start(receiver.run)
    site = Site.make(tmp_path)
    await nursery.start(site.run)
    gone, kept = await site.webhook(receiver.url()), await site.webhook(receiver.url())
    await site.happen(*range(1, 6))
    for webhook in (gone, kept):
        await site.settled(webhook, 5)
    await site.database.write(lambda tx: tx.webhooks.remove(gone.org, gone.id))
    keeper = Upkeep(site.database, site.courier, log_days=1, now_ms=site.clock)
    await keeper.clear()
    for webhook, count in ((gone, 0), (kept, 5)):
        left = await site.database.read(lambda tx, id_=webhook.id: tx.deliveries.page(id_, 9))  # type: ignore[misc]
        assert len(left) == count


async def test_idle_connections_are_closed(nursery: trio.Nursery, tmp_path: Path) -> None:
    receiver = Receiver()
    await nursery.start(receiver.run)
    site = Site.make(tmp_path)
    await nursery.start(site.run)
    webhook = await site.webhook(receiver.url())
    await site.happen(1)
    await site.settled(webhook)
    for transport in (await site.courier._caller("new"))._transports:
        transport._idle_s = 0.0
    await site.courier.sweep()
    await receiver.left()


async def test_a_receiver_of_callbacks_that_nothing_uses_is_removed(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    site = Site.make(tmp_path)
    await nursery.start(site.run)
    own = await site.webhook("https://a.example/")
    used = site.clock()
    for url in ("https://b.example/", "https://c.example/"):
        await site.webhook(url, shape="twilio", used_at=used)
    keeper = Upkeep(site.database, site.courier, log_days=1, now_ms=site.clock)

    async def urls() -> list[str]:
        found = await site.database.read(lambda tx: tx.webhooks.of_org(own.org))
        return [one.url for one in found]

    site.clock.ahead_ms = KEPT_MS - DAY_MS
    await keeper.clear()
    assert len(await urls()) == 3
    await site.database.write(lambda tx: tx.webhooks.note_use(own.id + 1, site.clock()))
    site.clock.ahead_ms = KEPT_MS + DAY_MS
    await keeper.clear()
    assert await urls() == ["https://a.example/", "https://b.example/"]
