"""Events on their way to receivers on loopback, from a store on disk."""

import base64
from pathlib import Path
from typing import Any

import pytest
import trio
from standardwebhooks import Webhook as Verifier
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from phonegate.domain.webhook_replies import Reply
from phonegate.events.webhooks import dispatcher, uptake
from phonegate.model.refusals import NotFound
from tests.events.webhooks import receiver as acts
from tests.events.webhooks.receiver import Received, Receiver, http
from tests.events.webhooks.site import NEXT_TRY_MS, PACE, SECRET, Site
from tests.patience import PATIENCE_S


@pytest.fixture
async def receiver(nursery: trio.Nursery) -> Receiver:
    made = Receiver()
    await nursery.start(made.run)
    return made


@pytest.fixture
async def site(nursery: trio.Nursery, tmp_path: Path) -> Site:
    made = Site.make(tmp_path)
    await nursery.start(made.run)
    return made


def phones(calls: list[Received]) -> list[int]:
    return [call.event["data"]["phone"]["phone"] for call in calls]


async def test_an_event_is_delivered_signed_and_logged(site: Site, receiver: Receiver) -> None:
    receiver.act = lambda _: http(200, b"thanks")
    webhook = await site.webhook(receiver.url(), headers=(("Authorization", "Basic eA=="),))
    await site.receive("Grüße")
    (call,) = await receiver.count(1)
    assert Verifier(SECRET).verify(call.body, call.headers) == call.event
    assert call.event["type"] == "message.received"
    assert call.event["data"]["message"]["body"] == "Grüße"
    assert call.headers["webhook-id"] == str(call.event["id"])
    assert call.headers["authorization"] == "Basic eA=="
    assert call.headers["content-type"] == "application/json"
    (one,) = await site.until_logged(webhook, lambda found: found and found[0].next_at is None)
    assert (one.event, one.attempts) == (call.event["id"], 1)
    assert one.last is not None
    assert (one.last.status, one.last.error, one.last.answer) == (200, None, "thanks")
    await site.counted(delivered=1)


async def test_events_that_a_webhook_is_not_for_are_not_delivered(
    site: Site, receiver: Receiver
) -> None:
    webhook = await site.webhook(receiver.url(), events=("phone.*",), phone=2)
    await site.webhook(receiver.url(), org="other")
    await site.receive()
    await site.happen(1, 2)
    await receiver.count(1)
    assert len(await site.settled(webhook)) == 1
    assert phones(receiver.calls) == [2]


async def test_events_of_a_subject_keep_their_order_and_others_pass(
    site: Site, receiver: Receiver
) -> None:
    def act(call: Received) -> bytes:
        phone = call.event["data"]["phone"]
        return http(400) if phone["phone"] == 1 and phone["step"] == 1 else http()

    receiver.act = act
    webhook = await site.webhook(receiver.url())
    await site.happen(1, 2, step=1)
    await site.happen(1, 2, step=2)
    await receiver.count(3)
    found = await site.settled(webhook, 3)
    shown = [(one["phone"], one["step"]) for one in map(_phone, receiver.calls)]
    assert shown == [(1, 1), (2, 1), (2, 2)]
    # The first of phone 1 is tried later, and the second waits for it.
    assert [one.attempts for one in found] == [1, 1, 0, 1]
    receiver.act = lambda _: http()
    site.clock.ahead_ms = NEXT_TRY_MS
    await receiver.count(5)
    assert [(one["phone"], one["step"]) for one in map(_phone, receiver.calls[3:])] == [
        (1, 1),
        (1, 2),
    ]
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert ids[0] == ids[3]


def _phone(call: Received) -> dict[str, Any]:
    found: dict[str, Any] = call.event["data"]["phone"]
    return found


async def test_many_events_are_delivered_by_several_calls_at_once(
    site: Site, receiver: Receiver
) -> None:
    await site.webhook(receiver.url())
    await site.happen(*range(300))
    await receiver.count(300)
    assert sorted(phones(receiver.calls)) == list(range(300))
    assert 1 < receiver.connections <= 16


async def test_messages_that_fail_by_themselves_keep_no_other_waiting(
    site: Site, receiver: Receiver
) -> None:
    receiver.act = lambda call: http(400 if call.event["data"]["phone"]["phone"] % 7 == 3 else 200)
    webhook = await site.webhook(receiver.url())
    await site.happen(*range(60))
    found = await site.settled(webhook, 60)
    assert sorted(phones(receiver.calls)) == list(range(60))
    assert sum(one.next_at is not None for one in found) == len(range(3, 60, 7))


async def test_a_receiver_that_does_not_answer_rests_as_a_whole(
    site: Site, receiver: Receiver
) -> None:
    receiver.act = lambda _: acts.close
    webhook = await site.webhook(receiver.url())
    await site.happen(1, 2, 3)
    await site.settled(webhook)
    await trio.sleep(0.2)
    assert phones(receiver.calls) == [1]
    assert (await site.found(webhook)).failing_since is not None
    receiver.act = lambda _: http()
    site.clock.ahead_ms = NEXT_TRY_MS
    # The rest is measured by the monotonic clock, so it is cut short as its owner would.
    assert await site.database.write(
        lambda tx: tx.deliveries.replay(webhook, tx.deliveries.page(webhook.id, 9)[-1].n, 0)
    )
    await receiver.count(4)
    assert phones(receiver.calls)[1] == 1
    assert sorted(phones(receiver.calls)[1:]) == [1, 2, 3]
    await site.until_logged(webhook, lambda found: all(one.next_at is None for one in found))
    assert (await site.found(webhook)).failing_since is None


async def test_retry_after_is_obeyed(site: Site, receiver: Receiver) -> None:
    receiver.act = lambda _: http(429, b"", "Retry-After: 100")
    webhook = await site.webhook(receiver.url())
    began = site.clock()
    await site.happen(1)
    (one,) = await site.settled(webhook)
    assert one.next_at is not None
    asked_ms = round(100_000 * PACE)
    assert began + asked_ms <= one.next_at <= site.clock() + asked_ms


async def test_gone_disables_at_once_and_says_so_in_an_event(
    site: Site, receiver: Receiver
) -> None:
    receiver.act = lambda call: http(410) if call.path == "/gone" else http()
    webhook = await site.webhook(receiver.url("/gone"))
    await site.webhook(receiver.url("/watch"), events=("webhook.disabled",))
    await site.happen(1)
    _, told = await receiver.count(2)
    assert told.path == "/watch"
    assert told.event["type"] == "webhook.disabled"
    found = await site.found(webhook)
    assert found.disabled_at is not None
    assert found.disabled_reason == "It answered 410: it wants no more events."
    await site.happen(2)
    await trio.sleep(0.1)
    assert len(receiver.calls) == 2


async def test_what_waits_outlives_its_gateway(
    nursery: trio.Nursery, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.act = lambda _: acts.hang
    first = Site.make(tmp_path)
    async with trio.open_nursery() as gateway:
        await gateway.start(first.run)
        await first.webhook(receiver.url())
        await first.happen(1, 2)
        await receiver.count(1)
        gateway.cancel_scope.cancel()
    receiver.act = lambda _: http()
    second = Site.make(tmp_path)
    await nursery.start(second.run)
    await receiver.count(3)
    assert phones(receiver.calls) == [1, 1, 2]
    assert receiver.calls[0].headers["webhook-id"] == receiver.calls[1].headers["webhook-id"]


async def test_closing_gives_calls_under_way_a_moment(site: Site, receiver: Receiver) -> None:
    gate = trio.Event()

    async def slow(stream: trio.abc.Stream) -> None:
        await gate.wait()
        await stream.send_all(http())

    receiver.act = lambda _: slow
    webhook = await site.webhook(receiver.url())
    await site.happen(1, 2)
    await receiver.count(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.dispatcher.close)
        gate.set()
    assert site.dispatcher.calls == 0
    await site.settled(webhook)
    assert phones(receiver.calls) == [1]


async def test_an_event_that_is_gone_is_given_up(site: Site, receiver: Receiver) -> None:
    receiver.act = lambda _: http(400)
    webhook = await site.webhook(receiver.url())
    await site.happen(1)
    await site.settled(webhook)
    await site.database.write(lambda tx: tx.events.erase([tx.events.last()]))
    site.clock.ahead_ms = NEXT_TRY_MS
    await site.until_logged(webhook, lambda found: found[0].next_at is None)
    await site.counted(failed=1, lost=1)
    assert len(receiver.calls) == 1


async def test_a_removed_webhook_and_org_get_nothing_more(site: Site, receiver: Receiver) -> None:
    webhook = await site.webhook(receiver.url("/removed"))
    await site.webhook(receiver.url("/disabled"))
    await site.webhook(receiver.url("/watch"))
    await site.database.write(lambda tx: tx.webhooks.remove(webhook.org, webhook.id))
    await site.database.write(
        lambda tx: tx.webhooks.set(webhook.id + 1, disabled_at=1, disabled_reason="x")
    )
    await site.happen(1)
    await receiver.count(1)
    await trio.sleep(0.1)
    assert [call.path for call in receiver.calls] == ["/watch"]
    # Enabled, it gets what has happened meanwhile.
    await site.database.write(
        lambda tx: tx.webhooks.set(webhook.id + 1, disabled_at=None, disabled_reason=None)
    )
    await receiver.count(2)
    assert receiver.calls[1].path == "/disabled"


async def test_a_test_calls_at_once_and_is_logged(site: Site, receiver: Receiver) -> None:
    webhook = await site.webhook(receiver.url(), events=("message.*",))
    tested = await site.courier.test(webhook)
    (call,) = receiver.calls
    assert (call.event["id"], call.event["test"], call.event["type"]) == (
        0,
        True,
        "message.received",
    )
    assert call.headers["webhook-id"].startswith("test_")
    assert Verifier(SECRET).verify(call.body, call.headers) == call.event
    assert await site.log(webhook) == [tested]
    assert (tested.event, tested.next_at) == (None, None)
    receiver.act = lambda _: acts.garbage
    failed = await site.courier.test(webhook)
    assert failed.last is not None
    assert failed.last.error == "The receiver answered something that is no HTTP."
    assert (await site.found(webhook)).failing_since is None


async def test_twilios_shape_is_verified_by_its_package_and_its_answer_is_sent(
    site: Site, receiver: Receiver
) -> None:
    receiver.act = lambda _: http(200, b"<Response><Message>Thanks</Message></Response>")
    url = receiver.url("/sms?a=1")
    webhook = await site.webhook(url, shape="twilio", secret="plain")
    await site.happen(1)
    await site.receive("hello")
    (call,) = await receiver.count(1)
    fields = _form(call)
    assert (fields["Body"], fields["From"], fields["To"]) == (
        "hello",
        "+15553334444",
        "+15551112222",
    )
    assert RequestValidator("plain").validate(url, fields, call.headers["x-twilio-signature"])
    (one,) = await site.settled(webhook)
    assert one.last is not None
    assert one.last.error is None
    assert site.replies.sent == [(webhook.id, 1, (Reply(text="Thanks"),))]


async def test_a_reply_that_can_not_be_sent_is_noted(site: Site, receiver: Receiver) -> None:
    receiver.act = lambda _: http(200, b"<Response><Message>Thanks</Message></Response>")
    site.replies.problem = "Its reply was not sent: no."
    webhook = await site.webhook(receiver.url(), shape="twilio", secret="plain")
    await site.receive()
    (one,) = await site.settled(webhook)
    assert one.last is not None
    assert (one.next_at, one.last.status, one.last.error) == (None, 200, site.replies.problem)
    receiver.act = lambda _: http(200, b"<!DOCTYPE x><Response/>")
    await site.receive("another")
    _, two = await site.settled(webhook, 2)
    assert two.last is not None
    assert two.last.error == (
        "Its reply was not sent: the answer is no TwiML: it has a document type."
    )
    receiver.act = lambda _: http(200, b"ok")
    await site.receive("a third")
    *_, three = await site.settled(webhook, 3)
    assert three.last is not None
    assert three.last.error is None


def _form(call: Received) -> dict[str, str]:
    from urllib.parse import parse_qsl  # noqa: PLC0415

    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))


async def test_both_secrets_sign_after_a_rotation(site: Site, receiver: Receiver) -> None:
    old = "whsec_" + base64.b64encode(bytes(24)).decode()
    await site.webhook(receiver.url(), old_secret=old, old_secret_until=site.clock() + 60_000)
    await site.happen(1)
    (call,) = await receiver.count(1)
    for secret in (SECRET, old):
        Verifier(secret).verify(call.body, call.headers)


async def test_receivers_that_hang_take_nothing_from_one_that_works(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    site = Site.make(tmp_path, calls_at_once=32)
    await nursery.start(site.run)
    receiver = Receiver(act=lambda call: acts.hang if call.path == "/hang" else http())
    await nursery.start(receiver.run)
    good = await site.webhook(receiver.url("/good"), org="good")
    await site.happen(1, org="good")
    await receiver.count(1)
    for number in range(30):
        await site.webhook(receiver.url("/hang"), org=f"dead{number % 3}")
    for name in ("dead0", "dead1", "dead2"):
        await site.happen(1, org=name)
    # A fourth of all calls is for new webhooks, and another one for those that take long.
    await receiver.count(1 + 8)
    # Less than a call takes which hangs.
    with trio.fail_after(PATIENCE_S):
        await site.happen(*range(2, 102), org="good")
        await site.settled(good, 101)
    assert 8 <= sum(call.path == "/hang" for call in receiver.calls) <= 8 + 8


async def test_a_webhook_that_is_removed_while_it_is_tested_is_said_to_be(
    site: Site, receiver: Receiver
) -> None:
    webhook = await site.webhook(receiver.url())

    async def answer_late(stream: trio.abc.Stream) -> None:
        await site.database.write(lambda tx: tx.webhooks.remove(webhook.org, webhook.id))
        await stream.send_all(http())

    receiver.act = lambda _: answer_late
    with pytest.raises(NotFound):
        await site.courier.test(webhook)


async def test_a_success_ends_a_failure_that_only_the_store_remembers(
    site: Site, receiver: Receiver
) -> None:
    webhook = await site.webhook(receiver.url())
    await site.happen(1)
    await site.settled(webhook)
    # As when the disk was full while a success should have been noted.
    await site.database.write(lambda tx: tx.deliveries.mark_failing(webhook.id, 1))
    await site.happen(2)
    await site.settled(webhook, 2)
    assert (await site.found(webhook)).failing_since is None


async def test_what_was_delivered_when_the_gateway_stops_is_noted(
    nursery: trio.Nursery, receiver: Receiver, tmp_path: Path
) -> None:
    stopped = Site.make(tmp_path)
    await nursery.start(stopped.database.run_writer)
    async with trio.open_nursery() as serving:
        await serving.start(stopped.dispatcher.run)
        webhook = await stopped.webhook(receiver.url())
        await stopped.happen(*range(200))
        await receiver.count(100)
        await stopped.dispatcher.close()
        serving.cancel_scope.cancel()
    noted = [one for one in await stopped.log(webhook) if one.last is not None]
    assert len(noted) == len(receiver.calls)
    stopped.database.close()


@pytest.mark.parametrize("bound", ["MOST_WAITING", "MOST_WAITING_OF_ORG"])
async def test_where_too_much_waits_no_more_is_taken_up_until_some_is_delivered(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    for name, value in {bound: 1, "FEW_WAITING": 0}.items():
        monkeypatch.setattr(uptake, name, value)
    for name in ("FEW_AT_ONCE", "TAKEN_AT_ONCE"):
        monkeypatch.setattr(dispatcher, name, 1)
    webhook = await site.webhook(receiver.url())
    waiting: list[int] = []

    async def look(stream: trio.abc.Stream) -> None:
        found = await site.log(webhook)
        waiting.append(sum(one.next_at is not None for one in found))
        await stream.send_all(http())

    receiver.act = lambda _: look
    await site.happen(*range(1, 6))
    await site.until_logged(webhook, lambda found: [one.next_at for one in found] == [None] * 5)
    assert waiting == [1] * 5
    assert phones(receiver.calls) == [1, 2, 3, 4, 5]
