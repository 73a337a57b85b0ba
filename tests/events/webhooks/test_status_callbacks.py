"""Status callbacks on their way to receivers on loopback, from a store on disk."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
import trio
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from phonegate.domain.status_callbacks import expect
from phonegate.http import hmac_state
from phonegate.model.callbacks import Callback
from phonegate.model.media import Part
from phonegate.model.messages import Message, NewInbound, NewMessage
from phonegate.model.states import Cause
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables
from tests.events.webhooks.receiver import Received, Receiver, http
from tests.events.webhooks.site import NEXT_TRY_MS, Site

TOKEN = "pk_k3v9_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


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


async def send(site: Site, callback: Callback | None, **columns: Any) -> Message:
    """Stores a message that is sent at once, as `Acceptance.store` does."""
    org, now = await site.org(), site.clock()
    new = NewMessage(
        org=org.id,
        address="+15553334444",
        body="hi",
        created_at=now,
        segments=1,
        sim="+15551112222",
        status="sending",
        status_callback=callback,
        **columns,
    )

    def op(tx: Tables) -> Message:
        expect(tx, org.id, [callback], now)
        found = tx.messages.find(org.id, tx.messages.insert(new))
        assert found is not None
        return found

    return await site.database.write(op)


async def become(site: Site, message: Message, cause: Cause, **columns: Any) -> Message:
    """Has something happen to a message."""

    def op(tx: Tables) -> Message:
        changed = tx.messages.transition(message, cause, **columns)
        assert changed is not None
        return changed

    return await site.database.write(op)


async def hooks(site: Site) -> list[Webhook]:
    org = await site.org()
    return await site.database.read(lambda tx: tx.webhooks.of_org(org.id))


def form(call: Received) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))


async def test_twilio_s_are_called_at_their_own_urls_signed_by_the_client_s_token(
    site: Site, receiver: Receiver
) -> None:
    state = hmac_state.state_of(TOKEN.encode())
    sent = []
    for uuid in ("u1", "u2"):
        url = receiver.url(f"/status?uuid={uuid}&x=%C3%A9#rc=2")
        sent.append(await send(site, Callback(shape="twilio", url=url, sign=state)))
    await send(site, None)
    await become(site, sent[1], Cause.RADIOED, sent_at=site.clock())
    first = await become(site, sent[0], Cause.RADIOED, sent_at=site.clock())
    await become(site, first, Cause.DELIVERED, delivered_at=site.clock())
    calls = await receiver.count(3)
    assert sorted((call.path, form(call)["MessageStatus"]) for call in calls) == [
        ("/status?uuid=u1&x=%C3%A9", "delivered"),
        ("/status?uuid=u1&x=%C3%A9", "sent"),
        ("/status?uuid=u2&x=%C3%A9", "sent"),
    ]
    for call in calls:
        number = 0 if "u1" in call.path else 1
        assert form(call)["MessageSid"] == f"SM{sent[number].id:032x}"
        url = f"http://127.0.0.1:{receiver.port}{call.path}"
        signature = call.headers["x-twilio-signature"]
        assert RequestValidator(TOKEN).validate(url, form(call), signature)
        assert not RequestValidator("another").validate(url, form(call), signature)
        assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    tokens = [call.headers["i-twilio-idempotency-token"] for call in calls]
    assert len(set(tokens)) == 3
    (hook,) = await hooks(site)
    log = await site.until_logged(
        hook, lambda found: sum(one.next_at is None for one in found) == 3
    )
    assert {one.type for one in log} == {"message.sent", "message.delivered"}


async def test_jasmin_s_are_repeated_until_they_are_acknowledged(
    site: Site, receiver: Receiver
) -> None:
    receiver.act = lambda _: http(200, b"OK" if len(receiver.calls) == 1 else b"ACK/Jasmin")
    message = await send(site, Callback(shape="jasmin", url=receiver.url("/dlr"), mask=3))
    message = await become(site, message, Cause.RADIOED, sent_at=site.clock() - 5_000)
    await receiver.count(1)
    (hook,) = await hooks(site)
    (failed,) = await site.settled(hook)
    assert failed.last is not None
    assert failed.last.error is not None
    assert "did not acknowledge it" in failed.last.error
    assert failed.next_at is not None
    # The next one of the message waits for it.
    await become(site, message, Cause.DELIVERED, delivered_at=site.clock())
    site.clock.ahead_ms = NEXT_TRY_MS
    calls = await receiver.count(3)
    assert form(calls[0]) == form(calls[1])
    assert [form(call)["message_status"] for call in calls] == ["ESME_ROK", "ESME_ROK", "DELIVRD"]
    await site.counted(failed=1, delivered=2)


async def test_kannel_s_are_got_with_the_escapes_filled_in(site: Site, receiver: Receiver) -> None:
    callback = Callback(shape="kannel", url=receiver.url("/k?to=%P&status=%d"), mask=9)
    message = await send(site, callback)
    message = await become(site, message, Cause.RADIOED, sent_at=site.clock() - 5_000)
    await become(site, message, Cause.DELIVERED, delivered_at=site.clock())
    calls = await receiver.count(2)
    assert [(call.method, call.path, call.body) for call in calls] == [
        ("GET", "/k?to=%2B15553334444&status=8", b""),
        ("GET", "/k?to=%2B15553334444&status=1", b""),
    ]


async def test_one_url_that_is_gone_ends_no_other(site: Site, receiver: Receiver) -> None:
    receiver.act = lambda call: http(410 if "/gone" in call.path else 200)
    for path in ("/gone", "/there"):
        message = await send(site, Callback(shape="kannel", url=receiver.url(path), mask=8))
        await become(site, message, Cause.RADIOED, sent_at=site.clock())
    await receiver.count(2)
    await site.counted(given_up=1, delivered=1)
    (hook,) = await hooks(site)
    assert hook.disabled_at is None


async def test_a_receiver_that_is_dead_harms_no_other(site: Site, receiver: Receiver) -> None:
    other = Receiver(act=lambda _: http(503))
    async with trio.open_nursery() as nursery:
        await nursery.start(other.run)
        for _ in range(3):
            for one in (other, receiver):
                message = await send(site, Callback(shape="kannel", url=one.url(), mask=8))
                await become(site, message, Cause.RADIOED, sent_at=site.clock())
        await receiver.count(3)
        await other.count(1)
        assert len(await hooks(site)) == 2
        nursery.cancel_scope.cancel()
    assert len(other.calls) == 1, "it rests as a whole"


async def test_an_org_s_own_webhook_gets_its_events_beside(site: Site, receiver: Receiver) -> None:
    own = await site.webhook(receiver.url("/own"), events=("message.sent",))
    message = await send(site, Callback(shape="kannel", url=receiver.url("/%d"), mask=8))
    await become(site, message, Cause.RADIOED, sent_at=site.clock())
    calls = await receiver.count(2)
    assert {call.path for call in calls} == {"/own", "/8"}
    assert len(await site.settled(own)) == 1


async def test_a_copy_is_reported_as_the_message_that_its_sender_knows(
    site: Site, receiver: Receiver
) -> None:
    first = await send(site, Callback(shape="kannel", url=receiver.url("/%I/%d"), mask=9))
    org = await site.org()

    def again(tx: Tables) -> Message:
        found = tx.messages.find(org.id, tx.messages.insert(first.again(created_at=1)))
        assert found is not None
        return found

    copy = await site.database.write(again)
    copy = await become(site, copy, Cause.PUSHED)
    await become(site, copy, Cause.RADIOED, sent_at=site.clock())
    (call,) = await receiver.count(1)
    assert call.path == f"/{first.id}/8"


async def test_an_address_that_may_not_be_called_now_is_not(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    site = Site.make(tmp_path)
    await nursery.start(site.run)
    # As if the settings had been others when it was accepted.
    message = await send(site, Callback(shape="kannel", url="http://169.254.169.254/%d", mask=8))
    await become(site, message, Cause.RADIOED, sent_at=site.clock())
    (hook,) = await hooks(site)
    (one,) = await site.settled(hook)
    assert one.last is not None
    assert one.last.status is None
    assert "may not be called" in (one.last.error or "")


async def test_a_webhook_of_twilio_s_may_be_signed_by_a_state_and_got(
    site: Site, receiver: Receiver
) -> None:
    state = hmac_state.state_of(TOKEN.encode())
    for method in ("GET", "POST"):
        await site.webhook(
            receiver.url(f"/{method}?a=b"),
            shape="twilio",
            method=method,
            secret="",
            signing_state=state,
        )
    await site.receive("Grüße")
    calls = {call.method: call for call in await receiver.count(2)}
    got, posted = calls["GET"], calls["POST"]
    assert not got.body
    query = dict(parse_qsl(urlsplit(got.path).query))
    assert (query["a"], query["Body"], query["SmsStatus"]) == ("b", "Grüße", "received")
    for call, fields in ((got, {}), (posted, form(posted))):
        url = f"http://127.0.0.1:{receiver.port}{call.path}"
        assert RequestValidator(TOKEN).validate(url, fields, call.headers["x-twilio-signature"])


async def test_the_parts_of_a_received_mms_come_with_their_types(
    site: Site, receiver: Receiver
) -> None:
    await site.webhook(receiver.url(), shape="twilio")
    org = await site.org()
    parts = [Part(content_type=one, data=b"x") for one in ("image/jpeg", "text/plain")]

    def op(tx: Tables) -> None:
        new = NewInbound(
            org=org.id, address="+15553334444", body="", created_at=1, date=1, phone=None,
            sim_slot=0, sim="+15551112222", parts=2, media_urls=("https://carrier.example/3",),
        )  # fmt: skip
        id_ = tx.messages.insert_inbound(new)
        assert id_ is not None
        tx.media_parts.add(id_, 1, parts)

    await site.database.write(op)
    (call,) = await receiver.count(1)
    fields = form(call)
    # This double shows no address of a part: the carrier's alone takes the type of the first.
    assert fields["MediaUrl0"] == "https://carrier.example/3"
    assert fields["MediaContentType0"] == "image/jpeg"


async def test_a_callback_without_a_token_is_not_signed(site: Site, receiver: Receiver) -> None:
    message = await send(site, Callback(shape="twilio", url=receiver.url()))
    await become(site, message, Cause.RADIOED, sent_at=site.clock())
    (call,) = await receiver.count(1)
    assert "x-twilio-signature" not in call.headers
    assert call.headers["i-twilio-idempotency-token"]


def test_what_is_called_is_in_no_repr() -> None:
    callback = Callback(shape="twilio", url="https://a.example/?t=s3cret", sign=b"x" * 40)
    assert "s3cret" not in repr(attrs.evolve(callback, known_as=1))
