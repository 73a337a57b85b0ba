"""The double against a small server: what it asks, what it makes of answers, what it does alone."""

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio

from phonegate.phone.errors import CredentialsRefused
from phonegate.phone.smsgate.air import AirMemory
from phonegate.phone.smsgate.answers import detail_of
from phonegate.phone.smsgate.app_errors import Refused, SentAway
from phonegate.phone.smsgate.app_faults import AppPlan
from phonegate.phone.smsgate.app_journal import AppJournal
from phonegate.phone.smsgate.app_phone import AppPhone
from phonegate.phone.smsgate.app_timings import Backoff
from phonegate.phone.smsgate.dates import read_date
from tests.patience import PATIENCE_S
from tests.phone.smsgate.conftest import FAST, OWNER, SIMS, MakePhone
from tests.phone.smsgate.mobile_server import EVENTS, Answer, MobileServer

UNHURRIED = attrs.evolve(FAST, work=Backoff(first_s=0.001, longest_s=0.01), pull_every_s=1000)
"""It pulls when it is asked to alone."""


def sent(phone: AppPhone) -> list[tuple[int | str, str, str | None]]:
    assert isinstance(phone.antenna, AirMemory)
    return [(sms.id, sms.to, sms.sim) for sms in phone.antenna.sent]


async def started(phone: AppPhone, nursery: trio.Nursery) -> AppPhone:
    with trio.fail_after(PATIENCE_S):
        await nursery.start(phone.run)
    return phone


async def until(phone: AppPhone, condition: Callable[[], Any]) -> None:
    with trio.fail_after(PATIENCE_S):
        await phone.until(lambda _: bool(condition()))


async def ready(phone: AppPhone) -> None:
    """Waits until it has webhooks and settings."""
    await until(phone, lambda: phone.memory.webhooks and phone.memory.settings.signing_key)


async def test_it_registers_and_stars_out_what_the_app_does(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    await started(make_phone(), nursery)
    (register,) = server.asked("POST", "/device")
    # Derived from the app's data classes, not captured from a phone.
    assert register.content == {
        "name": "Google/panther",
        "simCards": [
            {
                "slotIndex": 0,
                "simNumber": 1,
                "phoneNumber": "********0001",
                "carrierName": "***rier",
            },
            {"slotIndex": 1, "simNumber": 2, "phoneNumber": "********0002"},
        ],
    }
    assert server.asked("GET", "/events")[0].headers[b"accept"] == b"text/event-stream"


async def test_a_message_is_sent_and_reported_as_whole_states(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.message("m1", simNumber=2)
    phone = await started(make_phone(AppPlan(delivery_reports=True)), nursery)
    await server.until(lambda: "Delivered" in server.states("m1"))
    assert sent(phone) == [("m1", "+15550001111", SIMS[1].number)]
    report = server.reports[-1]
    states = report.pop("states")
    # Derived from the app's data classes, not captured from a phone.
    assert report == {
        "id": "m1",
        "state": "Delivered",
        "recipients": [{"phoneNumber": "+15550001111", "state": "Delivered"}],
    }
    assert list(states) == ["Pending", "Processed", "Sent", "Delivered"]
    times = [read_date(date) for date in states.values()]
    assert times == sorted(times)
    assert all(date.endswith("+01:00") for date in states.values())
    (pull, *_) = server.asked("GET", "/message")
    assert pull.target.endswith("?order=lifo")


async def test_a_known_id_is_reported_again_and_never_sent_again(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    listed = server.message("m1")
    phone = await started(make_phone(timings=UNHURRIED), nursery)
    await server.until(lambda: "Sent" in server.states("m1"))
    await until(phone, lambda: not phone.memory.jobs)
    server.messages["m1"] = {**listed, "textMessage": {"text": "another text"}}
    before = len(server.states("m1"))
    server.push("MessageEnqueued")
    await server.until(lambda: len(server.states("m1")) > before)
    assert server.states("m1")[-1] == "Sent"
    assert len(sent(phone)) == 1
    assert phone.stats.repeats == 1


async def test_a_received_sms_reaches_every_webhook_of_its_event(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    phone = await started(make_phone(), nursery)
    await ready(phone)
    mail = phone.receive_sms("+15559990000", "hello", sim_number=2)
    await server.until(lambda: server.of_event("sms:received"))
    (payload,) = server.of_event("sms:received")
    # Derived from the app's data classes, not captured from a phone.
    assert read_date(payload.pop("receivedAt")) == mail.received_at
    assert len(payload.pop("messageId")) <= 8
    assert payload == {
        "message": "hello",
        "sender": "+15559990000",
        "recipient": SIMS[1].number,
        "simNumber": 2,
        "phoneNumber": "+15559990000",
    }
    event = server.events[-1]
    assert event["deviceId"] == "device-0"
    assert event["webhookId"] == f"hook-{EVENTS.index('sms:received')}"


async def test_an_mms_makes_two_events_that_have_no_id_in_common(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    phone = await started(make_phone(AppPlan(mms_every_s=1000)), nursery)
    await ready(phone)
    phone.receive_mms("+15559990000", "look", {"partId": 1, "size": 3, "data": "AAAA"})
    await server.until(lambda: server.of_event("mms:downloaded"))
    (notice,), (whole,) = server.of_event("mms:received"), server.of_event("mms:downloaded")
    assert notice["messageId"] != whole["messageId"]
    assert notice["receivedAt"] == whole["receivedAt"]
    assert whole["attachments"] == [{"partId": 1, "size": 3, "data": "AAAA"}]


async def test_events_are_tried_again_under_their_id_and_others_pass_them(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    phone = await started(make_phone(), nursery)
    await ready(phone)
    server.prepare("POST", "/hook", Answer(503), Answer(503))
    for text in ("one", "two", "three"):
        phone.receive_sms("+15559990000", text)
    await server.until(lambda: len(server.of_event("sms:received")) == 3)
    posts = [request.content["id"] for request in server.asked("POST", "/hook")]
    assert len(posts) == 5
    assert len(set(posts)) == 3
    assert server.of_event("sms:received")[0]["message"] == "three"


async def test_an_event_is_dropped_after_so_many_tries_as_the_settings_say(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.settings["webhooks"]["retry_count"] = 2
    phone = await started(make_phone(), nursery)
    await ready(phone)
    server.prepare("POST", "/hook", Answer(500), Answer(500))
    phone.receive_sms("+15559990000", "lost")
    await until(phone, lambda: not phone.memory.events)
    assert server.of_event("sms:received") == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b'[{"id":"m1","phoneNumbers":["+1"],"message":"x","priority":200}]'),
        Answer(body=b'[{"id":"m1","phoneNumbers":["+1"],"message":"x","validUntil":"soon"}]'),
        Answer(body=b"[]", kind="text/html"),
        Answer(body=b"{}"),
        Answer(body=b"["),
        Answer(500),
    ],
)
async def test_one_bad_field_fails_the_whole_pull_which_is_tried_again(
    answer: Answer, server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.prepare("GET", "/message", answer, answer)
    server.message("m2")
    phone = await started(make_phone(), nursery)
    await server.until(lambda: "Sent" in server.states("m2"))
    assert [one for one, *_ in sent(phone)] == ["m2"]
    assert len(server.asked("GET", "/message")) >= 3


async def test_unknown_events_spoil_the_list_of_webhooks(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    webhooks = server.webhooks
    server.webhooks = [*webhooks, {"id": "x", "url": "http://x", "event": "sms:batch:received"}]
    phone = await started(make_phone(), nursery)
    await until(phone, lambda: phone.stats.unreadable)
    assert phone.memory.webhooks == ()
    server.webhooks = webhooks
    await until(phone, lambda: phone.memory.webhooks)


async def test_a_cancelled_message_is_not_sent(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.message("later", scheduleAt="2999-01-01T00:00:00Z")
    server.message("unknown", state="Cancelling")
    phone = await started(make_phone(), nursery)
    await server.until(lambda: "Cancelled" in server.states("unknown"))
    await until(phone, lambda: "later" in phone.memory.messages)
    server.push("MessageCancelled", {"messageId": "later"})
    await server.until(lambda: "Cancelled" in server.states("later"))
    assert sent(phone) == []
    assert server.reports[-1]["recipients"][0]["state"] == "Cancelled"


async def test_an_expired_message_fails_by_the_phones_clock(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    hour_ms = 3_600_000
    server.message("m1", validUntil="2026-01-01T00:30:00.000Z")
    now = read_date("2026-01-01T00:00:00Z")
    phone = make_phone(AppPlan(clock_skew_ms=hour_ms), now_ms=lambda: now)
    await started(phone, nursery)
    await server.until(lambda: "Failed" in server.states("m1"))
    assert sent(phone) == []
    assert server.reports[-1]["recipients"][0]["error"] == "TTL expired"


async def test_failed_results_missing_results_and_missing_sims(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.message("m1")
    server.message("m2", simNumber=3)
    phone = await started(make_phone(AppPlan(fail=1)), nursery)
    await server.until(lambda: "Failed" in server.states("m1") and "m2" not in server.messages)
    errors = {
        report["id"]: report["recipients"][0]["error"]
        for report in server.reports
        if report["state"] == "Failed"
    }
    assert errors["m1"].startswith("Send result: RESULT_")
    assert errors["m2"] == "Can't send message: SIM 3 not found"
    assert [one for one, *_ in sent(phone)] == ["m1"]
    await ready(phone)
    server.message("m3")
    server.push("MessageEnqueued")
    await server.until(lambda: server.of_event("sms:failed"))


async def test_without_its_result_a_message_stays_processed(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.message("m1")
    server.message("m2")
    await started(make_phone(AppPlan(no_result=1)), nursery)
    await server.until(lambda: server.states("m1") and server.states("m2"))
    assert {*server.states("m1"), *server.states("m2")} == {"Processed"}


async def test_a_token_that_is_refused_later_makes_it_register_anew(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    phone = await started(make_phone(), nursery)
    server.devices.clear()
    server.devices["other"] = "other"
    phone.restart()
    server.end_streams()
    await server.until(lambda: server.opened == 2)
    assert phone.memory.registration is not None
    assert phone.memory.registration.id == "device-1"
    assert phone.stats.registrations == 2


async def test_a_private_token_that_is_refused_ends_the_phone(
    server: MobileServer, make_phone: MakePhone
) -> None:
    phone = make_phone(owner=attrs.evolve(OWNER, token="wrong"))
    with pytest.raises(CredentialsRefused, match="HTTP 401"), trio.fail_after(PATIENCE_S):
        await phone.run()


def test_a_refusal_gives_the_gateways_reason() -> None:
    refused = Refused(400, detail_of(b'{"detail":"Use https."}'))
    assert str(refused) == "The gateway refused it (HTTP 400): Use https."
    for body in (b"", b"[1]", b'{"detail":3}', b"\xff"):
        assert str(Refused(400, detail_of(body))) == "The gateway refused it (HTTP 400)."


async def test_settings_that_move_it_away_end_the_phone(
    server: MobileServer, make_phone: MakePhone
) -> None:
    server.settings["gateway"] = {"cloud_url": None}
    with trio.fail_after(PATIENCE_S), pytest.raises(SentAway, match="cloud_url"):
        await make_phone().run()


async def test_with_a_push_token_it_opens_no_stream_until_told_to(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    timings = attrs.evolve(FAST, refresh_every_s=0.05)
    phone = await started(make_phone(AppPlan(push_token="fcm-1"), timings=timings), nursery)
    assert server.asked("POST", "/device")[0].content["pushToken"] == "fcm-1"
    assert server.opened == 0
    server.settings["gateway"] = {"notification_channel": "SSE_ONLY"}
    await server.until(lambda: server.opened == 1)
    assert "pushToken" not in server.asked("PATCH", "/device")[-1].content
    assert phone.memory.settings.channel == "SSE_ONLY"


async def test_a_ping_tells_the_battery_and_pulls(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.settings["ping"] = {"interval_seconds": 300.0}
    await started(make_phone(), nursery)
    await server.until(lambda: server.of_event("system:ping"))
    checks = server.of_event("system:ping")[0]["health"]["checks"]
    assert 0 <= checks["battery:level"]["observedValue"] <= 100


async def test_an_export_finds_what_the_app_overlooked_once(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    phone = await started(make_phone(AppPlan(miss=1)), nursery)
    await ready(phone)
    phone.receive_sms("+15559990000", "overlooked")
    assert server.of_event("sms:received") == []
    period = {"since": "2020-01-01T00:00:00.000Z", "until": "2999-01-01T00:00:00.000Z"}
    wanted = {**period, "messageTypes": "SMS,MMS", "triggerWebhooks": "true"}
    for _ in range(2):
        server.push("MessagesExportRequested", wanted)
    server.push("Unheard", {})
    server.push("MessagesExportRequested", {"since": "yesterday"})
    await until(phone, lambda: phone.stats.unreadable)
    await server.until(lambda: server.of_event("sms:received"))
    assert len(server.of_event("sms:received")) == 1


async def test_reports_are_given_up_after_ten_tries_until_the_id_is_pulled_again(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    listed = server.message("m1")
    server.prepare("PATCH", "/message", *[Answer(500)] * 20)
    phone = await started(make_phone(timings=UNHURRIED), nursery)
    await until(phone, lambda: phone.stats.reports_given_up == 2)
    assert server.reports == []
    server.messages["m1"] = listed
    server.push("MessageEnqueued")
    await server.until(lambda: server.states("m1"))
    assert server.states("m1") == ["Sent"]


TROUBLE = AppPlan(
    fail=0.1,
    repeat=0.2,
    reorder=0.2,
    drop_answers=0.1,
    lose_links=0.1,
    double_streams=0.2,
    crash=0.3,
    delivery_reports=True,
    reply=True,
)


async def test_whatever_happens_each_message_is_radioed_once_and_told(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    journal = AppJournal()
    phone = await started(make_phone(TROUBLE, journal, rng=Random(7)), nursery)
    await ready(phone)
    for n in range(10):
        server.message(f"m{n}", f"text {n}")
    server.push("MessageEnqueued")
    final = {"Delivered", "Failed"}
    await server.until(lambda: all(set(server.states(f"m{n}")) & final for n in range(10)))
    ids = [one for one, *_ in sent(phone)]
    assert len(ids) == len(set(ids)) == 10
    assert phone.stats.crashes > 0
    assert phone.stats.radioed_again == 0
    await until(phone, lambda: not phone.memory.events)
    echoes = {payload["message"] for payload in server.of_event("sms:received")}
    delivered = {f"m{n}" for n in range(10) if "Delivered" in server.states(f"m{n}")}
    assert {f"echo: text {one[1:]}" for one in delivered} <= echoes


async def test_the_apps_own_hole_sends_twice(
    server: MobileServer, make_phone: MakePhone, nursery: trio.Nursery
) -> None:
    server.message("m1")
    phone = await started(make_phone(AppPlan(hole=1)), nursery)
    await server.until(lambda: "Sent" in server.states("m1"))
    assert [one for one, *_ in sent(phone)] == ["m1", "m1"]
    assert (phone.stats.crashes, phone.stats.radioed_again) == (1, 1)
