"""Sessions over real sockets and the real store."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from phonegate.config.settings import DeliverySettings, PacingSettings, PhoneSettings
from phonegate.domain.sending import Outgoing
from phonegate.model.bounds import MAX_CHARACTERS, MAX_SEGMENTS
from phonegate.phones.feeder import Feeder
from phonegate.phones.session import Session
from phonegate.phones.switchboard import Switchboard
from phonegate.store.tables import Tables
from tests.domain.callers import owner
from tests.patience import PATIENCE_S

from .conftest import Start
from .link.test_websocket import ends, frame, raw, until
from .site import HASTY, NUMBER, ORG, OTHER, PATIENT, Phone, Site

SECOND = "+15551113333"
TEXT = {"address": OTHER, "body": "hello", "date": 1_700_000_000_000}


def with_delivery(**changes: object) -> DeliverySettings:
    return attrs.evolve(HASTY.delivery, **{"widest_window": 0, **changes})  # type: ignore[arg-type]


async def bodies(phone: Phone, count: int) -> list[str]:
    return [(await phone.get())["body"] for _ in range(count)]


# --- the basic frames


async def test_the_five_basic_frames(site: Site) -> None:
    async with site.phone() as phone:
        assert phone.connected["org_id"] == ORG
        assert phone.connected["server_time"].endswith("Z")
        await phone.sims(NUMBER)
        await phone.say("inbound", message=TEXT)
        assert await phone.settled() == []
        (stored,) = await site.messages(direction="in")
        assert (stored.address, stored.body, stored.status) == (OTHER, "hello", "received")
        await site.until_fed()
        outcome = await site.send("hi", sim_selector=NUMBER)
        (result,) = outcome.results
        assert (outcome.device_online, result.status) == (True, "sending")
        push = await phone.get()
        assert {"type": "send_sms", "id": result.id, "to": OTHER, "body": "hi", "sim": NUMBER} == {
            key: push[key] for key in ("type", "id", "to", "body", "sim")
        }
        await phone.say("send_result", id=result.id, success=True)
        assert await phone.settled() == []
        sent = await site.message(result.id)
        assert sent.status == "sent"
        assert sent.sent_at is not None


async def test_what_waited_is_delivered_on_connect(site: Site) -> None:
    async with site.phone():
        pass
    await site.until_online(0)
    outcome = await site.send("one", "two")
    assert not outcome.device_online
    assert [result.status for result in outcome.results] == ["queued", "queued"]
    async with site.phone() as phone:
        assert await bodies(phone, 2) == ["one", "two"]


async def test_failures_and_delivery_reports(site: Site) -> None:
    async with site.phone(device_id="a") as phone:
        first, second = (await site.send("one", "two")).results
        await bodies(phone, 2)
        await phone.say("send_result", id=first.id, success=False, error="no credit")
        await phone.say("send_result", id=second.id, success=True, segments=2)
        # By a clock that is years behind.
        await phone.say("delivery_report", id=second.id, delivered=True, date=1_700_000_000_001)
        assert await phone.settled() == []
        failed, delivered = await site.message(first.id), await site.message(second.id)
        assert (failed.status, failed.error) == ("failed", "no credit")
        assert (delivered.status, delivered.segments) == ("delivered", 2)
        assert delivered.delivered_at == delivered.sent_at


# --- inbound


async def test_inbound_is_acked_after_commit_and_stored_once(site: Site) -> None:
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        for _ in range(2):
            await phone.say("inbound", message=TEXT | {"id": "123"})
        await phone.say("inbound", messages=[TEXT | {"id": 7}, TEXT | {"body": "b"}])
        acks = await phone.settled()
        stored = await site.messages(direction="in")
        ids = [message.id for message in stored]
        assert len(ids) == 3
        assert [ack["ids"] for ack in acks] == [["123"], ["123"], [7, None]]
        assert [ack["message_ids"] for ack in acks] == [[ids[0]], [ids[0]], ids[1:]]
        assert acks[0]["message_id"] == ids[0]


async def test_inbound_from_a_slot_gets_the_sims_number(site: Site) -> None:
    async with site.phone() as phone:
        await phone.sims(SECOND, NUMBER)
        await phone.say("inbound", message=TEXT | {"sim_slot": 1})
        assert await phone.settled() == []
    (stored,) = await site.messages(direction="in")
    assert (stored.sim_slot, stored.sim) == (1, NUMBER)


# --- handing over again


async def test_an_unacked_push_is_pushed_again_and_an_acked_one_never(start: Start) -> None:
    site = await start(PATIENT)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        acked, lost = (await site.send("acked", "lost")).results
        await bodies(phone, 2)
        await phone.say("ack", id=acked.id)
        assert await phone.settled() == []
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        push = await phone.get()
        assert (push["id"], push["body"]) == (lost.id, "lost")
        await phone.sims(NUMBER)
        await phone.say("ack", id=lost.id)
        await phone.say("send_result", id=acked.id, success=True)
        await phone.say("send_result", id=lost.id, success=True)
        assert await phone.settled() == []
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        assert await phone.settled() == []
    assert [(m.status, m.attempts) for m in await site.messages()] == [("sent", 1), ("sent", 2)]


async def test_a_simple_phone_gets_it_again_after_the_grace_and_not_for_ever(
    start: Start,
) -> None:
    site = await start(attrs.evolve(HASTY, delivery=with_delivery(max_attempts=2)))
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        (result,) = (await site.send("hi")).results
        assert await bodies(phone, 1) == ["hi"]
    async with site.phone() as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert await bodies(phone, 1) == ["hi"]
    async with site.phone() as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        message = await site.until_status(result.id, "uncertain")
        assert message.attempts == 2
        await phone.say("send_result", id=result.id, success=True)
        assert await phone.settled() == []
    assert (await site.message(result.id)).status == "sent"


async def test_a_late_result_comes_before_the_grace_is_over(site: Site) -> None:
    async with site.phone() as phone:
        (result,) = (await site.send("hi")).results
        await bodies(phone, 1)
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await phone.say("send_result", id=result.id, success=True)
        assert await phone.settled() == []
    assert (await site.message(result.id)).status == "sent"


async def test_unacknowledged_hold(start: Start) -> None:
    site = await start(attrs.evolve(HASTY, delivery=with_delivery(unacknowledged="hold")))
    async with site.phone(device_id="a") as phone:
        (result,) = (await site.send("hi")).results
        await bodies(phone, 1)
    async with site.phone(device_id="a"):
        await site.until_status(result.id, "uncertain")


# --- who is who


async def test_a_device_that_comes_again_replaces_itself(site: Site) -> None:
    async with site.phone(device_id="a") as old:
        await old.hello("ack")
        await old.sims(NUMBER)
        (result,) = (await site.send("hi")).results
        await bodies(old, 1)
        await old.say("ack", id=result.id)
        async with site.phone(device_id="a") as new:
            assert await old.closed() == 4000
            await new.hello("ack")
            # The ack that the old link brought counts: nothing is pushed again.
            assert await new.settled() == []
            (online,) = site.switchboard.online(await site.org())
            assert online.device_id == "a"


async def test_a_simple_phone_that_comes_again_is_known_by_its_sim(site: Site) -> None:
    async with site.phone() as old:
        await old.sims(NUMBER)
        (result,) = (await site.send("hi")).results
        await bodies(old, 1)
        (before,) = site.switchboard.online(await site.org())
        async with site.phone() as new:
            await new.sims(NUMBER)
            assert await old.closed() == 4000
            (after,) = site.switchboard.online(await site.org())
            assert after.phone == before.phone
            await new.say("send_result", id=result.id, success=True)
            assert await new.settled() == []
    assert (await site.message(result.id)).status == "sent"


async def test_simple_phones_find_back_to_their_rows_in_any_order(site: Site) -> None:
    numbers = [NUMBER, SECOND, OTHER]

    async def rows(order: list[str]) -> dict[str, int]:
        async with site.phone() as one, site.phone() as two, site.phone() as three:
            for phone, number in zip((one, two, three), order, strict=True):
                await phone.sims(number)
            online = site.switchboard.online(await site.org())
            assert [phone.sims[0].number for phone in online] == order
            return {number: phone.phone for number, phone in zip(order, online, strict=True)}

    first = await rows(numbers)
    await site.until_online(0)
    assert len(set(first.values())) == 3
    assert await rows([OTHER, NUMBER, SECOND]) == first
    await site.until_online(0)
    assert await rows([SECOND, OTHER, NUMBER]) == first


async def test_pushes_follow_a_phone_to_its_row(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone() as one, site.phone() as two:
        await one.sims(NUMBER)
        await two.sims(SECOND)
        rows = [phone.phone for phone in site.switchboard.online(await site.org())]
    await site.until_online(0)
    # The second phone comes first, and its grace ends before it has told its number.
    async with site.phone() as two:
        (result,) = (await site.send("hi")).results
        assert await bodies(two, 1) == ["hi"]
        assert (await site.message(result.id)).phone not in rows
        async with site.phone() as one:
            await one.sims(NUMBER)
            await two.sims(SECOND)
            online = site.switchboard.online(await site.org())
            assert [phone.phone for phone in online] == [rows[1], rows[0]]
            assert (await site.message(result.id)).phone == rows[1]


async def test_hello_tells_what_the_phone_can_do(site: Site) -> None:
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await phone.settled()
        (online,) = site.switchboard.online(await site.org())
        assert online.features == frozenset()
        await phone.hello("ack", "mms")
        await phone.settled()
        (online,) = site.switchboard.online(await site.org())
        assert online.features == {"ack", "mms"}
        assert len(online.sims) == 1


async def test_hello_may_name_the_device(site: Site) -> None:
    async with site.phone() as phone:
        await phone.hello("ack", device_id="a", name="Front desk", model="Pixel")
        assert await phone.settled() == []
        (online,) = site.switchboard.online(await site.org())
        assert (online.device_id, online.name) == ("a", "Front desk")
        row = await site.database.read(lambda tx: tx.phones.get(online.phone))
        assert row is not None
        assert (row.device_id, row.model) == ("a", "Pixel")
        await phone.hello("ack", device_id="b")
        (error,) = await phone.settled()
        assert (error["code"], error["field"]) == ("device_id_mismatch", "device_id")
        async with site.phone(device_id="a"):
            assert await phone.closed() == 4000


async def test_reports_on_messages_of_others_are_refused(site: Site) -> None:
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as two:
        (result,) = (await site.send("hi")).results
        await bodies(one, 1)
        for kind, fields in (
            ("send_result", {"success": True}),
            ("ack", {}),
            ("delivery_report", {"delivered": True}),
        ):
            await two.say(kind, id=result.id, **fields)
            (error,) = await two.settled()
            assert (error["code"], error["id"]) == ("not_yours", result.id)
        await two.say("send_result", id=4711, success=True)
        (error,) = await two.settled()
        assert (error["code"], error["id"]) == ("unknown_message", 4711)
        assert (await site.message(result.id)).status == "sending"


# --- routing and order


async def test_each_queue_is_fed_by_the_sim_that_serves_it(site: Site) -> None:
    async with site.phone():
        pass
    await site.until_online(0)
    for sim_selector in ("", NUMBER, "1", SECOND):
        await site.send(f"to {sim_selector}", sim_selector=sim_selector)
    async with site.phone() as phone:
        # Before it has said who it is, a phone gets only what any SIM may send.
        assert await bodies(phone, 1) == ["to "]
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}, {"slot": 1}])
        pushes = {push["body"]: push for push in [await phone.get(), await phone.get()]}
        assert pushes[f"to {NUMBER}"]["sim"] == NUMBER
        assert (pushes["to 1"]["sim"], pushes["to 1"]["sim_slot"]) == (None, 1)
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}, {"slot": 1, "number": SECOND}])
        assert await bodies(phone, 1) == [f"to {SECOND}"]


async def test_what_names_no_sim_goes_to_the_first_phone_and_then_to_the_next(
    start: Start,
) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=1)))
    async with site.phone(device_id="b") as two:
        await two.sims(SECOND)
        async with site.phone(device_id="a") as one:
            await one.sims(NUMBER)
            await site.until_fed()
            results = (await site.send("1", "2")).results
            assert [result.status for result in results] == ["sending", "queued"]
            assert await bodies(two, 1) == ["1"]
            assert await one.settled() == []
            await two.socket.aclose()
            assert await bodies(one, 1) == ["2"]


async def test_a_new_message_does_not_overtake(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=2)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.send(*"abcdef")
        seen: list[str] = []
        while len(seen) < 8:
            push = await phone.get()
            seen.append(push["body"])
            if push["body"] in {"b", "e"}:
                await site.send("g")
            await phone.say("send_result", id=push["id"], success=True)
        assert seen == [*"abcdefgg"]


async def test_little_room_is_used_though_the_rest_of_the_window_is_never_answered(
    start: Start,
) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=4)))
    async with site.phone(device_id="a") as phone:
        await site.send(*"abcdef")
        pushes = [await phone.get() for _ in range(4)]
        await phone.say("send_result", id=pushes[0]["id"], success=True)
        assert await bodies(phone, 1) == ["e"]


async def test_little_room_that_another_sim_takes_is_looked_for_again(start: Start) -> None:
    delivery = with_delivery(window=6)
    site = await start(attrs.evolve(PATIENT, delivery=delivery), gather_s=PATIENCE_S)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER, OTHER)
        await site.until_fed()
        await site.send(*"abcdefghijkl", sim_selector=NUMBER)
        pushes = [await phone.get() for _ in range(6)]
        for push in pushes[:3]:
            await phone.say("send_result", id=push["id"], success=True)
        assert sorted(await bodies(phone, 3)) == ["g", "h", "i"]
        await phone.say("send_result", id=pushes[3]["id"], success=True)
        assert await phone.settled() == []
        await site.send("x", sim_selector=OTHER)
        assert await bodies(phone, 1) == ["x"], "while the feeder waits for more room"
        feeder = site.stations()[0].feeder
        await have_gathered(feeder)
        assert feeder._scarce_since is None
        await phone.say("send_result", id=pushes[4]["id"], success=True)
        assert await phone.settled() == []
        await have_gathered(feeder)
        assert await bodies(phone, 1) == ["j"]


async def have_gathered(feeder: Feeder) -> None:
    """Ends the time for which little room is left unused. The feeder waits for its end."""
    await feeder.worker.done()
    assert feeder._scarce_since is not None
    feeder._scarce_since -= PATIENCE_S
    feeder.worker.call()
    await feeder.worker.done()


async def test_given_up_messages_free_the_window(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=1)))
    async with site.phone(device_id="a") as phone:
        first, _ = (await site.send("a", "b")).results
        assert await bodies(phone, 1) == ["a"]
        (online,) = site.switchboard.online(await site.org())
        site.switchboard.given_up(await site.org(), online.phone, first.id)
        assert await bodies(phone, 1) == ["b"]


async def test_pacing_outlives_the_connection(start: Start) -> None:
    paced = PacingSettings(segments_per_minute=8)
    site = await start(attrs.evolve(PATIENT, pacing=paced))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        outcome = await site.send("a", "b", "c", sim_selector=NUMBER)
        assert [result.status for result in outcome.results] == ["sending", "sending", "queued"]
        assert outcome.results[2].eta_s is not None
        assert await bodies(phone, 2) == ["a", "b"]
        assert await phone.settled() == []
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        assert (await site.send("d")).results[0].status == "queued"
        assert await phone.settled() == []


async def test_the_feeder_waits_for_the_bucket_and_no_longer(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, pacing=PacingSettings(segments_per_minute=600)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        results = (await site.send(*(str(n) for n in range(155)), sim_selector=NUMBER)).results
        assert [result.status for result in results].count("queued") >= 5
        for n in range(155):
            push = await phone.get()
            assert push["body"] == str(n)
            await phone.say("send_result", id=push["id"], success=True)


async def test_a_phone_is_given_ten_of_the_longest_messages_at_a_time(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=100)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER, OTHER)
        await site.until_fed()
        texts = [chr(ord("a") + n) + "x" * (MAX_CHARACTERS - 1) for n in range(14)]
        results = (await site.send(*texts, sim_selector=NUMBER)).results
        assert [one.status for one in results] == ["sending"] * 10 + ["queued"] * 4
        pushes = [await phone.get() for _ in range(10)]
        assert [push["body"] for push in pushes] == texts[:10]
        assert {push["segments"] for push in pushes} == {MAX_SEGMENTS}
        await site.send("short", sim_selector=OTHER)
        assert await bodies(phone, 1) == ["short"]
        assert await phone.settled() == []
        for push, text in zip(pushes, texts[10:], strict=False):
            await phone.say("send_result", id=push["id"], success=True, segments=MAX_SEGMENTS)
            assert await bodies(phone, 1) == [text]


async def test_the_longest_message_leaves_and_only_its_sim_waits(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, pacing=PacingSettings(segments_per_minute=24)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER, OTHER)
        await site.until_fed()
        longest = "x" * MAX_CHARACTERS
        (sent,) = (await site.send(longest, sim_selector=NUMBER)).results
        assert (sent.status, sent.segments) == ("sending", MAX_SEGMENTS)
        assert await bodies(phone, 1) == [longest]
        (next_,) = (await site.send("after", sim_selector=NUMBER)).results
        assert next_.status == "queued"
        # 250 segments are to be made up for, at 24 a minute.
        assert next_.eta_s is not None
        assert 600 <= next_.eta_s <= 640
        await site.send("beside", sim_selector=OTHER)
        assert await bodies(phone, 1) == ["beside"]


async def test_cancel(site: Site) -> None:
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack", "cancel")
        assert await phone.settled() == []
        (result,) = (await site.send("hi")).results
        await phone.get()
        message = await site.withdrawal.cancel(owner(await site.org()), result.id)
        assert message.status == "sending"
        assert await phone.get() == {"type": "cancel", "id": result.id}
        await phone.say("send_result", id=result.id, success=False, error="cancelled")
        assert await phone.settled() == []
    assert (await site.message(result.id)).status == "cancelled"


# --- ends


async def test_nonsense(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, phones=PhoneSettings(max_nonsense=3)))
    async with site.phone() as phone:
        await phone.raw(b"\x00\x01")
        assert (await phone.get())["code"] == "not_text"
        await phone.say("dance")
        assert (await phone.get())["code"] == "unknown_type"
        await phone.say("ack", id=True)
        assert (await phone.get())["field"] == "id"
        assert await phone.closed() == 1008


async def test_odd_reports_are_no_nonsense(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, phones=PhoneSettings(max_nonsense=2)))
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        odd: list[dict[str, Any]] = [
            {"address": None, "body": "a\0\ud83d", "sim_slot": -1, "date": "x", "id": "1"},
            {"address": "+1", "id": "2"},
            {"body": {}, "id": "3"},
        ]
        for message in odd:
            await phone.say("inbound", message=message)
        await phone.say("inbound", messages=[*odd, TEXT | {"id": "4"}])
        said = await phone.settled()
        acks = [frame for frame in said if frame["type"] == "inbound_ack"]
        told = [frame for frame in said if frame["type"] == "error"]
        first, fourth = [message.id for message in await site.messages(direction="in")]
        assert [(ack["ids"], ack["message_id"]) for ack in acks] == [
            (["1"], first),
            (["2"], None),
            (["3"], None),
            (["1", "2", "3", "4"], fourth),
        ]
        assert acks[3]["message_ids"] == [first, None, None, fourth]
        assert [(frame["code"], frame["field"], frame["ids"]) for frame in told] == [
            ("bad_field", "message.body", ["2"]),
            ("bad_field", "message.body", ["3"]),
            ("bad_field", "messages[1].body", ["2", "3"]),
        ]
        assert site.cleaned["entry"] == 4
        assert {"text", "date"} <= set(site.cleaned)


async def test_frames_are_limited_in_bytes(site: Site) -> None:
    async with site.phone() as phone:
        fill = "x" * (65_536 - len('{"type":"ping","x":""}'))
        await phone.raw('{"type":"ping","x":"' + fill + '"}')
        assert (await phone.get())["type"] == "pong"
        await phone.raw('{"type":"ping","x":"' + fill + 'x"}')
        assert await phone.closed() == 1009
    async with site.phone() as phone:
        await phone.raw('{"type":"ping","x":"' + "é" * 33_000 + '"}')
        assert await phone.closed() == 1009


async def test_close_all_tells_every_phone_and_records_what_they_still_say(site: Site) -> None:
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as two:
        (result,) = (await site.send("hi")).results
        await bodies(one, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.switchboard.close_all, 1012, "restart")
            # Under way while the gateway goes: the close frame has not been answered yet.
            await one.say("send_result", id=result.id, success=True)
            assert await one.closed() == 1012
            assert await two.closed() == 1012
    assert (await site.message(result.id)).status == "sent"
    with trio.fail_after(PATIENCE_S):
        while site.serving:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)
    assert is_empty(site.switchboard)


@attrs.define(eq=False)
class Closer(trio.abc.Instrument):
    """Closes each session at the worst moment: its tasks have ended, and it has yet to wake up."""

    sessions: list[Session]
    closed: int = 0
    errors: list[Exception] = attrs.field(factory=list)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        for session in self.sessions:
            station = session.station
            if station.ended.is_set() and not session._nursery.child_tasks:
                self.closed += 1
                try:
                    station.close(1012, "restart")
                except RuntimeError as error:
                    self.errors.append(error)


async def test_a_link_that_has_just_ended_can_still_be_told_to_close(site: Site) -> None:
    async with site.phone():
        closer = Closer(site.sessions())
        trio.lowlevel.add_instrument(closer)
    with trio.fail_after(PATIENCE_S):
        while site.serving:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)
    trio.lowlevel.remove_instrument(closer)
    assert closer.closed
    assert closer.errors == []


def is_empty(board: Switchboard) -> bool:
    kept = (
        board._by_phone,
        board._by_org,
        board._numbers._by_org,
        board._views,
        board._rows._claimed,
        board._moved,
        board._moves,
        board._rows._seated,
        board._open,
        board._identifying,
    )
    return not any(kept)


async def test_a_changed_secret_sends_phones_away(site: Site) -> None:
    async with site.phone() as phone:
        await site.accounts.orgs.rotate(ORG)
        assert await phone.closed() == 1008


async def test_nothing_stays_behind(site: Site) -> None:
    async with site.phone() as simple, site.phone(device_id="a"):
        await simple.sims(NUMBER)
    async with site.phone() as simple:
        await simple.hello(device_id="b")
        assert await simple.settled() == []
    with trio.fail_after(PATIENCE_S):
        while site.serving:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)
    assert is_empty(site.switchboard)


class Gate:
    """Holds up one write, before or after it is committed: the first after `shut`."""

    def __init__(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, *, committed: bool = False
    ) -> None:
        self._shut = False
        self.held = trio.Event()
        self.open = trio.Event()
        write = site.database.write

        async def holding(op: Callable[[Tables], object], **how: bool) -> object:
            if self._shut:
                self._shut = False
                done = await write(op, **how) if committed else None
                self.held.set()
                await self.open.wait()
                return done if committed else await write(op, **how)
            return await write(op, **how)

        monkeypatch.setattr(site.database, "write", holding)
        submit = site.database.submit

        async def submit_later(op: Any, done: Any, how: dict[str, Any]) -> None:
            await self.open.wait()
            submit(op, done, **how)

        def hold(op: Any, done: Any, **how: Any) -> None:
            if self._shut:
                self._shut = False
                self.held.set()
                trio.lowlevel.spawn_system_task(submit_later, op, done, how)
            else:
                submit(op, done, **how)

        if not committed:
            monkeypatch.setattr(site.database, "submit", hold)

    def shut(self) -> None:
        self._shut = True


async def test_nothing_is_resumed_before_the_old_links_reports_are_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(site, monkeypatch)
    async with site.phone(device_id="a") as old:
        await old.hello("ack")
        (result,) = (await site.send("hi")).results
        await bodies(old, 1)
        assert await old.settled() == []
        gate.shut()
        await old.say("ack", id=result.id)
        await gate.held.wait()
        async with site.phone(device_id="a") as new:
            await new.hello("ack")
            await new.say("ping")
            with trio.move_on_after(0.2) as scope:
                await new.get()
            assert scope.cancelled_caught, "it answered before the old link had recorded"
            gate.open.set()
            assert (await new.get())["type"] == "pong"


async def test_what_is_about_to_be_pushed_is_not_taken_for_left_open(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(
        attrs.evolve(PATIENT, delivery=attrs.evolve(PATIENT.delivery, unacknowledged="hold"))
    )
    gate = Gate(site, monkeypatch, committed=True)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        session, (station,) = site.sessions()[0], site.stations()
        gate.shut()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.send, "hi")
            await gate.held.wait()
            # The grace ends between the commit of a message and its push.
            station.state._grace_until = trio.current_time()
            station.state.resume_again()
            session.tick()
            await trio.testing.wait_all_tasks_blocked()
            assert station.state.grace_over
            gate.open.set()
        assert await bodies(phone, 1) == ["hi"]
        assert await phone.settled() == []
        assert [message.status for message in await site.messages()] == ["sending"]


async def test_what_had_arrived_is_recorded_even_when_the_link_is_cancelled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(site, monkeypatch)
    async with site.phone(device_id="a") as phone:
        first, second = (await site.send("a", "b")).results
        await bodies(phone, 2)
        assert await phone.settled() == []
        gate.shut()
        await phone.say("send_result", id=first.id, success=True)
        await gate.held.wait()
        # Not a plain report, which waits for the one before it.
        await phone.say("send_result", id=second.id, success=False)
        with trio.fail_after(PATIENCE_S):
            while site.stations()[0].recorder._bytes == 0:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
        site.scope.cancel()
        gate.open.set()
        await site.until_status(second.id, "failed")
        assert (await site.message(first.id)).status == "sent"


async def test_a_phone_that_has_not_told_its_sims_yet_is_paced_by_the_last_ones(
    start: Start,
) -> None:
    site = await start(attrs.evolve(PATIENT, pacing=PacingSettings(segments_per_minute=8)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.send("a", "b")
        await bodies(phone, 2)
    async with site.phone(device_id="a") as phone:
        assert (await site.send("c")).results[0].status == "queued"
        with trio.move_on_after(0.1) as scope:
            await phone.get()
        assert scope.cancelled_caught, "it got more than its SIM may send"


async def test_errors_are_told_before_the_link_is_closed_for_them(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, phones=PhoneSettings(max_nonsense=50)))
    async with site.phone() as phone:
        for _ in range(50):
            await phone.say("dance")
        for _ in range(50):
            assert (await phone.get())["code"] == "unknown_type"
        assert await phone.closed() == 1008


async def test_a_sim_may_have_a_pace_of_its_own(start: Start) -> None:
    paced = PacingSettings(segments_per_minute=8, sims=(f"{NUMBER}=4",))
    site = await start(attrs.evolve(PATIENT, pacing=paced))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        outcome = await site.send("a", "b", sim_selector=NUMBER)
        assert [result.status for result in outcome.results] == ["sending", "queued"]


async def test_the_more_urgent_goes_first_whatever_sim_was_asked_for(start: Start) -> None:
    site = await start(PATIENT)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
    await site.send("usual", sim_selector=NUMBER)
    await site.send("by slot", sim_selector="0")
    await site.send("urgent", sim_selector="0", priority=5)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        assert await bodies(phone, 3) == ["urgent", "usual", "by slot"]


# --- what waits is never forgotten, and what is over never comes back


async def test_what_the_phone_lost_track_of_is_sent_again_at_once(site: Site) -> None:
    async with site.phone(device_id="first") as first, site.phone(device_id="a") as phone:
        await first.sims(SECOND)
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.until_fed()
        again = Outgoing(to=OTHER, body="x", sim_selector=NUMBER, on_uncertain="resend")
        await site.sending.send(owner(await site.org()), [again])
        push = await phone.get()
        # The SIM is about to move: whichever phone sends the copy has to be told.
        await first.sims(SECOND, NUMBER)
        await phone.sims()
        await site.until_fed()
        await phone.say("send_result", id=push["id"], success=False, uncertain=True)
        copy = await first.get()
        assert (copy["body"], copy["id"] != push["id"]) == ("x", True)


async def test_what_is_uncertain_on_return_is_sent_again_by_whom_it_is_for(start: Start) -> None:
    site = await start(attrs.evolve(HASTY, delivery=with_delivery(unacknowledged="hold")))
    async with site.phone(device_id="first") as first:
        await first.sims(SECOND)
        async with site.phone(device_id="a") as phone:
            await phone.sims(NUMBER)
            await site.until_fed()
            again = Outgoing(to=OTHER, body="x", sim_selector=NUMBER, on_uncertain="resend")
            await site.sending.send(owner(await site.org()), [again])
            push = await phone.get()
        await first.sims(SECOND, NUMBER)
        await site.until_fed()
        async with site.phone(device_id="a"):
            copy = await first.get()
        assert (copy["body"], copy["id"] != push["id"]) == ("x", True)


async def test_a_link_that_is_ending_takes_no_more_messages(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=1)))
    sims = f'{{"type":"sims","sims":[{{"slot":0,"number":"{NUMBER}"}}]}}'
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(sims.encode()) + frame(b'{"type":"ping"}'))
        await until(stream, b"pong")
        first, second = (await site.send("one", "two", sim_selector=NUMBER)).results
        await until(stream, b"send_sms")
        (station,) = site.stations()
        station.close(1012, "restart")
        await until(stream, (1012).to_bytes(2, "big"))
        result = f'{{"type":"send_result","id":{first.id},"success":true}}'
        await stream.send_all(frame(result.encode()))
        await site.until_status(first.id, "sent")
        # Whatever the room that the result made may have set off is done behind these.
        for _ in range(3):
            await site.messages()
            await site.database.write(lambda _: None)
        await stream.send_all(frame((1012).to_bytes(2, "big"), first=0x88))
    await ends(site)
    assert (await site.message(second.id)).status == "queued"


async def test_what_waits_to_be_pushed_again_may_be_over_before(start: Start) -> None:
    site = await start(attrs.evolve(HASTY, pacing=PacingSettings(segments_per_minute=12)))
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        await site.send("given up", "expired", "still wanted")
        pushes = [(await phone.get())["id"] for _ in range(3)]
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        (station,) = site.stations()
        with trio.fail_after(PATIENCE_S):
            while len(station.order.left_open) < 3:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)
        site.switchboard.given_up(station.org, station.state.phone, pushes[0])
        station.order.left_open = [
            attrs.evolve(message, expires_at=1 if message.id == pushes[1] else None)
            for message in station.order.left_open
        ]
        site.services.pacer._buckets.clear()
        station.wake()
        assert (await phone.get())["id"] == pushes[2]
        assert await phone.settled() == []


async def test_a_late_hello_still_brings_what_the_device_was_not_given(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.until_fed()
        await site.send("hi")
        push = await phone.get()
    async with site.phone() as phone:
        (station,) = [one for one in site.stations() if one.online.device_id is None]
        with trio.fail_after(PATIENCE_S):
            while not station.state.identified:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)
        await phone.settled()
        await phone.hello("ack", device_id="a")
        assert (await phone.get())["id"] == push["id"]


async def test_slots_follow_a_phone_that_names_itself_last(start: Start) -> None:
    site = await start(attrs.evolve(HASTY, delivery=with_delivery(window=1)))
    async with site.phone(device_id="a"):
        pass
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        _, waiting = (await site.send("one", "two", sim_selector="0")).results
        assert (await phone.get())["body"] == "one"
        await phone.hello("ack", device_id="a")
        assert await phone.settled() == []
    await site.until_online(0)
    (away,) = (await site.send("three", sim_selector="0")).results
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        pushes: list[dict[str, Any]] = []
        while len(pushes) < 3:
            pushes.append(await phone.get())
            await phone.say("ack", id=pushes[-1]["id"])
    assert pushes[0]["body"] == "one"
    assert [push["id"] for push in pushes[1:]] == [waiting.id, away.id]


async def test_a_report_over_an_ending_link_replaces_nobody(site: Site) -> None:
    sims = f'{{"type":"sims","sims":[{{"slot":0,"number":"{NUMBER}"}}]}}'.encode()
    async with raw(site) as stream:
        await stream.send_all(frame(sims) + frame(b'{"type":"ping"}'))
        await until(stream, b"pong")
        async with site.phone() as phone:
            await phone.sims(NUMBER)
            await until(stream, (4000).to_bytes(2, "big"))
            await stream.send_all(frame(sims) + frame((4000).to_bytes(2, "big"), first=0x88))
            with trio.fail_after(PATIENCE_S):
                while site.serving > 1:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.005)
            assert await phone.settled() == []
            await site.until_online(1)


async def test_what_was_left_open_goes_before_what_is_new(start: Start) -> None:
    site = await start(PATIENT)
    async with site.phone(device_id="a") as phone:
        await site.send("old")
        assert await bodies(phone, 1) == ["old"]
    await site.send("new")
    async with site.phone(device_id="a") as phone:
        assert await phone.settled() == []
        await site.send("newest")
        await phone.hello("ack")
        assert await bodies(phone, 3) == ["old", "new", "newest"]


async def test_links_that_never_last_leave_no_more_open(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=2)))
    async with site.phone(device_id="a"):
        pass  # creates the org
    await site.send(*"abcdef")
    async with site.phone(device_id="a") as phone:
        assert await bodies(phone, 2) == ["a", "b"]
    for _ in range(3):
        async with site.phone(device_id="a") as phone:
            await phone.settled()
    statuses = [message.status for message in await site.messages()]
    assert statuses.count("sending") == 2
