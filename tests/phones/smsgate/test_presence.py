"""Phones that are the app, over the real store: what their calls come to."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import trio

from phonegate.config.settings import DeliverySettings
from phonegate.domain.enrolments import CHOOSE_STREAM, Enrolments, KnownApp
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.sending import Outgoing
from phonegate.model.phones import MMS, Health
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.admission import Admission
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.smsgate.transport import NO_MMS, SmsgateTransport
from tests.domain.callers import owner
from tests.http.media_server import PNG, MediaServer
from tests.patience import PATIENCE_S
from tests.phones.conftest import Start
from tests.phones.site import OTHER, PATIENT, Site, leave
from tests.phones.smsgate_phone import AGENT, App, AppEnd, AppSite, Json, streaming

CARD = {"slotIndex": 0, "simNumber": 1, "phoneNumber": "*******4567", "iccid": "******1234"}


@attrs.frozen
class Phones:
    """A site, the app's API of it, and a client."""

    site: Site
    served: AppSite
    client: httpx.AsyncClient

    async def register(self, key: str | None = None, **form: Any) -> httpx.Response:
        key = await self.served.key() if key is None else key
        headers = {"Authorization": f"Bearer {key}"}
        return await self.client.post("/device", headers=headers, json={"name": "G/p", **form})

    async def app(self, key: str | None = None, **form: Any) -> App:
        made = (await self.register(key, **form)).json()
        return await self.set_up(made["token"])

    async def set_up(self, token: str) -> App:
        mine = {"Authorization": f"Bearer {token}"}
        hooks = (await self.client.get("/webhooks", headers=mine)).json()
        settings = (await self.client.get("/settings", headers=mine)).json()
        return App(token, hooks[0]["url"], settings["webhooks"]["signing_key"])

    def end(self, app: App) -> AppEnd:
        """An app that has no stream open."""
        _, events = trio.open_memory_channel[tuple[str, Any]](1)
        return AppEnd(self.client, app, events)

    async def row(self, app: App) -> int:
        return (await self.site.enrolments.by_token(app.token)).enrolment.phone

    async def hint(self, app: App) -> str | None:
        row = await self.row(app)
        phone = await self.site.database.read(lambda tx: tx.phones.get(row))
        assert phone is not None
        return phone.hint

    async def away(self, app: App) -> None:
        """Has the phone count as away, once it has no stream."""
        here = self.site.presences.of_phone(await self.row(app))
        if here is not None:
            with trio.fail_after(PATIENCE_S):
                while not here.gone.is_set():
                    leave(here)
                    await trio.sleep(0.005)


@pytest.fixture
async def phones(start: Start, nursery: trio.Nursery) -> AsyncIterator[Phones]:
    async with opened(await start(), nursery) as found:
        yield found


@asynccontextmanager
async def opened(site: Site, nursery: trio.Nursery) -> AsyncIterator[Phones]:
    served = AppSite(site)
    await nursery.start(served.serve)
    agent = {"User-Agent": AGENT}
    async with httpx.AsyncClient(base_url=served.url, headers=agent, timeout=10) as client:
        yield Phones(site, served, client)


# --- registering


async def test_an_app_that_registers_is_a_phone(phones: Phones) -> None:
    app = await phones.app(simCards=[CARD])
    row = await phones.row(app)
    phone = await phones.site.database.read(lambda tx: tx.phones.get(row))
    assert phone is not None
    assert (phone.kind, phone.name, phone.app) == ("smsgate", "G/p", AGENT)


async def test_a_wrong_token_is_refused_everywhere(phones: Phones) -> None:
    wrong = {"Authorization": "Bearer 0123456789abcdefghijk"}
    for method, path in (
        ("PATCH", "/device"),
        ("GET", "/message"),
        ("GET", "/messages"),
        ("PATCH", "/message"),
        ("GET", "/events"),
        ("GET", "/webhooks"),
        ("GET", "/settings"),
    ):
        for headers in ({}, wrong):
            answer = await phones.client.request(method, path, headers=headers, content=b"{}")
            assert answer.status_code == 401, path
    assert (await phones.register("pgk_00000000_" + "0" * 32)).status_code == 401
    assert (await phones.client.post("/call/x", content=b"{}")).status_code == 401


async def test_a_revoked_key_takes_its_phones_with_it(phones: Phones) -> None:
    key = await phones.served.key()
    app = await phones.app(key)
    async with streaming(phones.client, app) as end:
        await phones.site.accounts.keys.revoke(await phones.site.org(), key.split("_")[1])
        with trio.fail_after(PATIENCE_S):
            async for _ in end.events:
                pass
    assert (await phones.client.get("/message", headers=app.headers)).status_code == 401
    assert (await phones.end(app).call("sms:received", {})).status_code == 401


async def test_a_removed_phone_is_refused(phones: Phones) -> None:
    app = await phones.app()
    row, org = await phones.row(app), await phones.site.org()
    await phones.site.database.write(lambda tx: tx.phones.remove(org, row))
    assert (await phones.client.get("/message", headers=app.headers)).status_code == 401


async def test_a_phone_may_speak_for_itself_alone(phones: Phones) -> None:
    app = await phones.app()
    for said, status in (({"id": "0123456789abcdefghijk"}, 403), ({}, 204)):
        answer = await phones.client.patch("/device", headers=app.headers, json=said)
        assert answer.status_code == status


async def test_an_org_has_no_more_phones_than_it_may(start: Start, nursery: trio.Nursery) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_phones=1)))
    async with opened(site, nursery) as phones:
        assert (await phones.register(name="one")).status_code == 201
        refused = await phones.register(name="two")
        assert (refused.status_code, refused.json()["code"]) == (409, "org_full")
        # Where the app's own server has it.
        assert refused.json()["message"] == refused.json()["detail"]


async def test_a_phone_that_another_service_rings_gets_a_hint_until_it_streams(
    phones: Phones,
) -> None:
    app = await phones.app(pushToken="fcm")
    assert await phones.hint(app) == CHOOSE_STREAM
    async with streaming(phones.client, app):
        assert await phones.hint(app) is None
    await phones.client.patch("/device", headers=app.headers, json={"pushToken": "fcm"})
    assert await phones.hint(app) == CHOOSE_STREAM
    await phones.client.patch("/device", headers=app.headers, json={})
    assert await phones.hint(app) is None


# --- registering anew


async def test_the_same_phone_is_known_again(phones: Phones) -> None:
    key = await phones.served.key()
    old = await phones.app(key, simCards=[CARD])
    new = await phones.app(key, simCards=[CARD])
    assert (
        await phones.row(new) == (await phones.site.enrolments.by_token(new.token)).enrolment.phone
    )
    assert (new.hook, new.signing_key) == (old.hook, old.signing_key)
    assert (await phones.client.get("/message", headers=old.headers)).status_code == 401


async def test_it_is_known_by_another_key_once_its_own_is_gone(phones: Phones) -> None:
    key = await phones.served.key()
    old = await phones.app(key, simCards=[CARD])
    await phones.site.accounts.keys.revoke(await phones.site.org(), key.split("_")[1])
    new = await phones.app(simCards=[CARD])
    # What it has yet to report arrives, signed by a key that went to it alone.
    assert new.hook == old.hook
    assert new.signing_key != old.signing_key
    assert (await phones.end(old).call("system:ping", {})).status_code == 401
    assert (await phones.end(new).call("system:ping", {})).status_code == 204


async def test_another_phone_of_its_model_is_another_phone(phones: Phones) -> None:
    key = await phones.served.key()
    old = await phones.app(key, simCards=[CARD])
    for cards in ([{**CARD, "iccid": "******9999"}], []):
        assert (await phones.app(key, simCards=cards)).hook != old.hook


async def test_an_app_that_never_got_its_token_is_no_phone_of_its_own(phones: Phones) -> None:
    key = await phones.served.key()
    await phones.register(key)
    await phones.app(key)
    org = await phones.site.org()
    assert len(await phones.site.database.read(lambda tx: tx.phones.of_org(org))) == 1


async def test_what_its_old_app_may_have_sent_is_never_given_to_the_new_one(
    phones: Phones,
) -> None:
    key = await phones.served.key()
    old = phones.end(await phones.app(key, simCards=[CARD]))
    await old.pull()
    fetched, acked = (await phones.site.send("fetched", "acked")).results
    assert [message["message"] for message in await old.pull()] == ["fetched", "acked"]
    await old.acknowledge(acked.id)
    (kept,) = (await phones.site.send("kept")).results
    new = phones.end(await phones.app(key, simCards=[CARD]))
    assert [message["message"] for message in await new.pull()] == ["kept"]
    status = {one.id: (await phones.site.message(one.id)).status for one in (fetched, acked, kept)}
    assert status == {fetched.id: "uncertain", acked.id: "sending", kept.id: "sending"}
    # What the app still knows of it counts.
    new.app.ids |= old.app.ids
    await new.report(acked.id, success=True)
    assert (await phones.site.message(acked.id)).status == "sent"


# --- pulling


async def test_a_phone_without_a_stream_gets_what_waits_in_one_pull(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = phones.end(await phones.app(simCards=[CARD]))
    await end.pull()
    await phones.away(end.app)
    await phones.site.send("one", "two")
    look = PhoneDelivery.waiting

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await trio.sleep(0.1)
        return await look(*args, **kwargs)

    monkeypatch.setattr(PhoneDelivery, "waiting", slow)
    assert [message["message"] for message in await end.pull()] == ["one", "two"]


async def test_a_pull_lists_no_more_than_the_window(start: Start, nursery: trio.Nursery) -> None:
    delivery = DeliverySettings(window=2, widest_window=0, late_result_grace_s=60.0)
    async with opened(await start(attrs.evolve(PATIENT, delivery=delivery)), nursery) as phones:
        end = phones.end(await phones.app())
        await end.pull()
        await phones.site.send("one", "two", "three")
        assert [message["message"] for message in await end.pull()] == ["one", "two"]


async def test_a_pull_gives_nothing_once_its_session_has_ended(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    await phones.site.send("hi")
    row, say = await phones.row(end.app), SmsgateTransport.say

    async def shut_out(transport: SmsgateTransport, said: Any) -> bool:
        # As when the phone is forgotten, or its app enrols anew, while it asks for messages.
        await phones.site.presences.replace(row)
        return await say(transport, said)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(SmsgateTransport, "say", shut_out)
        answer = await phones.client.get("/message", headers=end.app.headers)
    assert answer.status_code == 503
    assert [message["message"] for message in await end.pull()] == ["hi"]


async def test_a_phone_that_is_shut_out_as_it_comes_in_is_asked_to_try_again(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = phones.end(await phones.app())
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Admission, "is_current", lambda *_: False)
        for method, path, status in (
            ("GET", "/message", 503),
            ("PATCH", "/device", 503),
            ("GET", "/events", 200),
        ):
            answer = await phones.client.request(
                method, path, headers=end.app.headers, json={"simCards": [CARD]}
            )
            assert answer.status_code == status, path
            await phones.away(end.app)
    assert await end.pull() == []


async def test_what_expires_before_it_is_fetched_fails_at_once(phones: Phones) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    (sent,) = (await phones.site.send("hi")).results
    here = phones.site.presences.of_phone(await phones.row(end.app))
    assert here is not None
    listed = here.transport.pulls._listed[sent.id]
    listed.frame = attrs.evolve(listed.frame, expires_at=1)
    assert await end.pull() == []
    message = await phones.site.until_status(sent.id, "failed")
    assert message.error == "its ttl ran out before the phone fetched it"


async def test_what_was_never_fetched_is_cancelled_at_once(phones: Phones) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    (sent,) = (await phones.site.send("hi")).results
    await phones.site.withdrawal.cancel(owner(await phones.site.org()), sent.id)
    await phones.site.until_status(sent.id, "cancelled")
    assert await end.pull() == []


# --- reporting


async def test_a_report_on_what_is_not_its_own_changes_nothing(phones: Phones) -> None:
    one, other = [phones.end(await phones.app(name=name)) for name in ("one", "other")]
    await one.pull()
    (sent,) = (await phones.site.send("hi")).results
    await one.pull()
    other.app.ids |= one.app.ids
    assert (await other.patch(sent.id, "Sent")).status_code == 204
    for known in ("5-0123456789ab", f"{sent.id}-0123456789ab", "V1StGXR8Z5jdHi6BmyTaa"):
        one.app.ids[0] = known
        assert (await one.patch(0, "Sent")).status_code == 204
    assert (await phones.site.message(sent.id)).status == "sending"


async def test_a_report_is_answered_once_it_is_committed_and_not_before(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    (sent,) = (await phones.site.send("hi")).results
    await end.pull()

    is_full = True
    write = PhoneDelivery.report

    async def report(*args: Any, **kwargs: Any) -> Any:
        if is_full:
            raise StorageUnavailable("the disk is full")
        return await write(*args, **kwargs)

    monkeypatch.setattr(PhoneDelivery, "report", report)
    with monkeypatch.context() as patched:
        patched.setattr(phones.site.presences, "_timings", SmsgateTimings(commit_s=0.05))
        answer = await end.patch(sent.id, "Sent")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await phones.site.message(sent.id)).status == "sending"
    is_full = False
    await end.report(sent.id, success=True)
    assert (await phones.site.message(sent.id)).status == "sent"


async def test_a_call_repairs_what_a_lost_report_left_open(phones: Phones) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    (sent,) = (await phones.site.send("hi")).results
    await end.pull()
    payload = {"messageId": end.app.ids[sent.id], "phoneNumber": OTHER, "partsCount": 2}
    assert (await end.call("sms:sent", payload)).status_code == 204
    assert (await end.call("sms:delivered", payload)).status_code == 204
    message = await phones.site.message(sent.id)
    assert (message.status, message.segments) == ("delivered", 2)
    assert await end.pull() == []


# --- receiving


def sms(**other: Any) -> Json:
    return {
        "messageId": "9b0e1f22",
        "message": "hello",
        "sender": OTHER,
        "receivedAt": "2026-11-29T11:00:00.000+07:00",
        **other,
    }


async def test_the_same_sms_under_another_event_is_a_repeat(phones: Phones) -> None:
    end = phones.end(await phones.app())
    for more in ({}, {}, {"simNumber": 1}, {"receivedAt": "2026-11-29T11:00:05.000+07:00"}):
        assert (await end.call("sms:received", sms(**more))).status_code == 204
    assert len(await phones.site.messages(direction="in")) == 2


async def test_a_call_that_is_not_signed_by_the_phone_is_refused(phones: Phones) -> None:
    app = await phones.app()
    for key in ("", "12345678"):
        end = phones.end(attrs.evolve(app, signing_key=key))
        answer = await end.call("sms:received", sms())
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert await phones.site.messages(direction="in") == []


def mms(event_id: str, **other: Any) -> Json:
    return {"messageId": event_id, "sender": OTHER, "subject": "Look", **other}


PICTURE = {"partId": 1, "contentType": "image/png", "name": "a.png", "size": 1, "data": "YQ=="}


@pytest.mark.parametrize("order", ["ad", "da", "aadd", "dad"])
async def test_an_announced_mms_and_the_mms_are_one_message(phones: Phones, order: str) -> None:
    end = phones.end(await phones.app())
    for step in order:
        if step == "a":
            payload = mms("T1", transactionId="T1", receivedAt="2026-11-29T04:00:00.500Z")
            answer = await end.call("mms:received", payload)
        else:
            payload = mms(
                "77", body="at this", attachments=[PICTURE], receivedAt="2026-11-29T04:00:03.000Z"
            )
            answer = await end.call("mms:downloaded", payload)
        assert answer.status_code == 204
    (message,) = await phones.site.messages(direction="in")
    # The text of an MMS is none of its parts.
    assert (message.body, message.parts, message.error) == ("Look\nat this", 1, None)


async def test_an_mms_that_is_not_fetched_is_seen(phones: Phones) -> None:
    end = phones.end(await phones.app())
    await end.call("mms:received", mms("T1", receivedAt="2026-11-29T04:00:00.500Z"))
    (message,) = await phones.site.messages(direction="in")
    assert message.error == "The phone has not fetched this MMS from its network yet."


async def test_two_mms_of_one_sender_are_two_messages(phones: Phones) -> None:
    end = phones.end(await phones.app())
    for number in range(2):
        at = {"receivedAt": f"2026-11-29T0{4 + number}:00:00.500Z"}
        await end.call("mms:received", mms(f"T{number}", **at))
        await end.call("mms:downloaded", mms(f"{number}", attachments=[PICTURE], **at))
    stored = await phones.site.messages(direction="in")
    assert [(message.parts, message.error) for message in stored] == [(1, None)] * 2


async def test_how_a_phone_is_and_which_cards_it_has_is_known(phones: Phones) -> None:
    end = phones.end(await phones.app(simCards=[CARD]))
    checks = {"battery:level": {"observedValue": 83}, "battery:charging": {"observedValue": 2}}
    assert (await end.call("system:ping", {"health": {"checks": checks}})).status_code == 204
    whole = {**CARD, "phoneNumber": "+15551114567", "carrierName": "Cell"}
    assert (await end.call("app:started", {"simCards": [whole]})).status_code == 204
    row = await phones.row(end.app)
    here = phones.site.presences.of_phone(row)
    assert here is not None
    assert here.session.station.state.health.latest == Health(battery=83, charging=True)
    # It is not forgotten when the app hides it again.
    await phones.client.patch("/device", headers=end.app.headers, json={"simCards": [CARD]})
    await phones.away(end.app)
    await end.pull()
    (sim,) = await phones.site.database.read(lambda tx: tx.phones.sims_of(row))
    assert (sim.number, sim.carrier) == ("+15551114567", "Cell")
    other = {**CARD, "iccid": "******9999"}
    await phones.client.patch("/device", headers=end.app.headers, json={"simCards": [other]})
    (sim,) = await phones.site.database.read(lambda tx: tx.phones.sims_of(row))
    assert sim.number is None


async def test_what_is_no_event_is_answered_and_ignored(phones: Phones) -> None:
    end = phones.end(await phones.app())
    assert (await end.call("app:updated", {})).status_code == 204
    body, headers = end.app.signed({})
    assert (
        await phones.client.post(end.app.hook, content=body, headers=headers)
    ).status_code == 204


# --- streams


async def test_a_phone_stays_there_while_its_streams_come_and_go(phones: Phones) -> None:
    app = await phones.app()
    async with streaming(phones.client, app):
        here = phones.site.presences.of_phone(await phones.row(app))
    async with streaming(phones.client, app) as end:
        assert phones.site.presences.of_phone(await phones.row(app)) is here
        # Queued, where the session looks into its queue just then, or given to the phone at once.
        (sent,) = (await phones.site.send("hi")).results
        assert (await end.pushed()).id == sent.id


async def test_a_phone_that_counted_as_away_while_its_stream_was_noted_has_the_stream(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await phones.app()
    await phones.end(app).pull()
    note = Enrolments.streams

    async def late(enrolments: Enrolments, known: KnownApp) -> None:
        await note(enrolments, known)
        await phones.away(app)

    monkeypatch.setattr(Enrolments, "streams", late)
    async with streaming(phones.client, app) as end:
        await phones.site.send("hi")
        assert (await end.pushed()).body == "hi"


async def test_what_came_in_during_an_absence_is_asked_for(
    start: Start, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start()
    async with opened(site, nursery) as phones:
        app = await phones.app()
        row = await phones.row(app)
        async with streaming(phones.client, app) as end:
            asked = await end.event("MessagesExportRequested")
            assert asked["messageTypes"] == "SMS,MMS"
            assert asked["triggerWebhooks"] == "true"
            first = asked["since"]
            # It was there for longer than it may be silent.
            here = site.presences.of_phone(row)
            assert here is not None
            assert here.transport.stream is not None
            here.transport.stream.began -= PATIENCE_S
        async with streaming(phones.client, app) as end:
            await phones.site.send("hi")
            assert (await end.event("MessageEnqueued")) is None
        await phones.away(app)
        heard = await site.database.read(lambda tx: tx.enrolments.of_phone(row))
        assert heard is not None
        assert heard.heard_at > heard.known_since
        async with streaming(phones.client, app) as end:
            # No earlier than it was registered, whatever the margin.
            assert (await end.event("MessagesExportRequested"))["since"] == first


async def test_a_thousand_reports_at_once_are_bounded(phones: Phones) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    (sent,) = (await phones.site.send("hi")).results
    await end.pull()
    statuses: list[int] = []

    async def report() -> None:
        statuses.append((await end.patch(sent.id, "Pending")).status_code)

    async with trio.open_nursery() as many:
        for _ in range(40):
            many.start_soon(report)
    assert set(statuses) <= {204, 503}
    assert 204 in statuses


# --- MMS that are sent

LATER = "me.capcom.smsgateway/1.75.1"


@pytest.fixture
async def media(nursery: trio.Nursery) -> MediaServer:
    server = MediaServer()
    await nursery.start(server.run)
    return server


async def later_app(phones: Phones) -> App:
    phones.client.headers["User-Agent"] = LATER
    return await phones.app()


async def send(phones: Phones, body: str, *urls: str) -> int:
    """Sends an MMS as what chose the phone does."""
    org = await phones.site.org()
    outgoing = Outgoing(to=OTHER, body=body, media_urls=urls or None)
    (sent,) = (await phones.site.sending.send(owner(org), [outgoing])).results
    return sent.id


async def mms_of(end: AppEnd) -> list[Json]:
    answer = await end.client.get("/message?order=fifo", headers=end.app.headers)
    listed: list[Json] = answer.json()
    for one in listed:
        end.app.ids[int(one["id"].partition("-")[0])] = one["id"]
    return listed


async def test_a_phone_has_mms_if_its_app_sends_them(phones: Phones) -> None:
    app = await phones.app()
    end = phones.end(app)
    org = await phones.site.org()
    await end.pull()

    async def features() -> frozenset[str]:
        await end.pull()
        (online,) = phones.site.switchboard.online(org)
        return online.features

    assert MMS not in await features()
    # The app is updated while its session goes on.
    phones.client.headers["User-Agent"] = LATER
    assert (await phones.client.patch("/device", headers=app.headers, json={})).status_code == 204
    await end.pull()
    assert MMS in await features()


async def test_an_mms_is_given_with_its_media_until_it_is_reported_on(
    phones: Phones, media: MediaServer
) -> None:
    async with streaming(phones.client, await later_app(phones)) as end:
        await mms_of(end)
        number = await send(phones, "look", media.put("/a.png"))
        await end.event("MessageEnqueued")
        for _ in range(2):
            (message,) = await mms_of(end)
            assert "textMessage" not in message
            assert message["mmsMessage"] == {
                "text": "look",
                "attachments": [
                    {
                        "contentType": "image/png",
                        "name": "a.png",
                        "data": base64.b64encode(PNG).decode(),
                    }
                ],
            }
        # The second answer needed no second call.
        assert len(media.asked) == 1
        await end.acknowledge(number)
        assert await mms_of(end) == []
        await end.report(number, success=True)
    assert (await phones.site.message(number)).status == "sent"
    here = phones.site.presences.of_phone(await phones.row(end.app))
    assert here is not None
    assert here.transport.shelf.media(number) is None


async def test_a_phone_without_a_stream_gets_its_mms_in_one_pull(
    phones: Phones, media: MediaServer
) -> None:
    end = phones.end(await later_app(phones))
    await mms_of(end)
    await send(phones, "look", media.put("/a.png"))
    assert [one["mmsMessage"]["text"] for one in await mms_of(end)] == ["look"]


async def test_a_slow_place_delays_no_other_message(phones: Phones, media: MediaServer) -> None:
    gate = trio.Event()
    async with streaming(phones.client, await later_app(phones)) as end:
        await mms_of(end)
        slow = await send(phones, "slow", media.put("/slow.png", gate=gate))
        await send(phones, "quick", media.put("/quick.png"))
        await send(phones, "text")
        found: set[str] = set()
        while found != {"quick", "text"}:
            await end.event("MessageEnqueued")
            for one in await mms_of(end):
                content = one.get("mmsMessage") or one["textMessage"]
                found.add(content["text"])
        gate.set()
        await end.event("MessageEnqueued")
        assert slow in {int(one["id"].partition("-")[0]) for one in await mms_of(end)}


async def test_media_that_can_not_be_had_fail_the_message_before_the_phone_has_it(
    phones: Phones, media: MediaServer
) -> None:
    async with streaming(phones.client, await later_app(phones)) as end:
        await mms_of(end)
        wrong = await send(phones, "wrong", media.put("/a", status=404))
        down = await send(phones, "down", media.put("/b", status=503))
        inner = await send(phones, "inner", "http://169.254.169.254/latest")
        for number, problem in (
            (wrong, "its media (127.0.0.1) answered HTTP 404"),
            (down, "its media (127.0.0.1) answered HTTP 503"),
            (inner, "its media (169.254.169.254) may not be called: its address is link-local"),
        ):
            message = await phones.site.until_status(number, "failed")
            assert message.error == problem
        assert [path for path, _ in media.asked].count("/b") == 3
        assert await mms_of(end) == []


async def test_what_an_earlier_session_may_have_given_is_uncertain_without_its_media(
    phones: Phones, media: MediaServer
) -> None:
    app = await later_app(phones)
    end = phones.end(app)
    await mms_of(end)
    number = await send(phones, "look", media.put("/a.png"))
    assert len(await mms_of(end)) == 1
    await phones.away(app)
    media.put("/a.png", status=410)
    await mms_of(end)
    message = await phones.site.until_status(number, "uncertain")
    assert message.error == "its media (127.0.0.1) answered HTTP 410"


async def test_an_mms_that_waits_for_a_phone_whose_app_sends_none_fails(
    phones: Phones, media: MediaServer
) -> None:
    end = phones.end(await phones.app())
    await end.pull()
    number = await send(phones, "look", media.put("/a.png"))
    message = await phones.site.until_status(number, "failed")
    assert message.error == NO_MMS
    assert media.asked == []


async def test_an_mms_is_cancelled_while_its_media_are_on_their_way(
    phones: Phones, media: MediaServer
) -> None:
    async with streaming(phones.client, await later_app(phones)) as end:
        await mms_of(end)
        number = await send(phones, "look", media.put("/a.png", gate=trio.Event()))
        await phones.site.withdrawal.cancel(owner(await phones.site.org()), number)
        await phones.site.until_status(number, "cancelled")
        assert await mms_of(end) == []


async def test_more_mms_than_an_answer_holds_come_once_the_first_are_reported_on(
    phones: Phones, media: MediaServer
) -> None:
    async with streaming(phones.client, await later_app(phones)) as end:
        await mms_of(end)
        url = media.put("/a.png", body=bytes(900_000))
        waiting = {await send(phones, str(n), url) for n in range(3)}
        here = phones.site.presences.of_phone(await phones.row(end.app))
        assert here is not None
        await here.transport.shelf.settle()
        while waiting:
            listed = {int(one["id"].partition("-")[0]) for one in await mms_of(end)}
            assert len(listed) <= 2
            for number in listed:
                await end.report(number, success=True)
            waiting -= listed
            if waiting and not listed:
                await end.event("MessageEnqueued")
