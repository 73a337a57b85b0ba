"""Reports in any order and repetition: each message ends where the furthest of them puts it."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.domain import carrier_reports
from phonegate.domain.carrier import CarrierFault, CarrierMessage, StatusReport
from phonegate.domain.carrier_timings import PollTimings
from phonegate.model.assistants import Assistant
from phonegate.model.messages import Message, NewMessage
from phonegate.model.states import FINAL_STATES
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.domain.carrier_site import (
    NOW,
    RECIPIENT,
    SENDER,
    add_assistant,
)

IDS = ("SM1", "SM2")
PROGRESS = st.sampled_from(["sending", "sent", "delivered", "failed"])
RANK = {"queued": 0, "sending": 1, "uncertain": 2, "sent": 3, "failed": 4, "delivered": 5}

POLLS = PollTimings()

STEPS = st.lists(
    st.tuples(st.just("reported"), st.sampled_from(IDS), PROGRESS, st.booleans())
    | st.tuples(st.just("accepted"), st.sampled_from(IDS), PROGRESS, st.just(value=False))
    | st.tuples(
        st.sampled_from(["rejected", "lost_track", "postponed", "polled", "orphaned"]),
        st.just(""),
        st.just("sending"),
        st.booleans(),
    ),
    max_size=12,
)


def apply(tx: Tables, assistant: Assistant, message: Message, step: Any, now: int) -> None:
    kind, carrier_id, progress, flag = step
    fault = CarrierFault(code="1", text="no") if progress == "failed" else None
    match kind:
        case "reported":
            report = StatusReport(carrier_id=carrier_id, progress=progress, fault=fault)
            carrier_reports.reported(
                tx, assistant, report, message.id if flag else None, now, polls=POLLS
            )
        case "accepted":
            found = CarrierMessage(id=carrier_id, progress=progress, fault=fault)
            carrier_reports.accepted(tx, message, found, now, polls=POLLS)
        case "rejected":
            carrier_reports.rejected(tx, message, "never got it")
        case "lost_track":
            carrier_reports.lost_track(tx, message, "cut", now, now, polls=POLLS)
        case "postponed":
            carrier_reports.postponed(tx, message, "closed", now, polls=POLLS)
        case "polled":
            carrier_reports.polled(tx, message, now, polls=POLLS)
        case "orphaned":
            carrier_reports.orphaned(tx, message, "gone", untried=flag)


def new(org: int, assistant: int) -> NewMessage:
    return NewMessage(
        org=org,
        address=RECIPIENT,
        body="hi",
        status="sending",
        created_at=NOW,
        segments=1,
        sim_selector="carrier",
        sim=SENDER,
        provider="twilio",
        assistant=assistant,
        reference="r",
        first_tried_at=NOW,
        next_poll_at=NOW + 1,
    )


def check_steps(database: Database, assistant: Assistant, token: trio.lowlevel.TrioToken) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=STEPS)
    def check(steps: list[Any]) -> None:
        def run(tx: Tables) -> list[Message]:
            tx.message_removal.drop(assistant.org, 100)
            first = tx.messages.insert(new(assistant.org, assistant.id))
            seen = [tx.messages.find(assistant.org, first)]
            for at, step in enumerate(steps):
                apply(tx, assistant, seen[-1] or seen[0], step, NOW + at)  # type: ignore[arg-type]
                seen.append(tx.messages.find(assistant.org, first))
            return [message for message in seen if message is not None]

        seen = trio.from_thread.run(database.write, run, trio_token=token)
        ranks = [RANK[message.status] for message in seen]
        assert ranks == sorted(ranks), "it went backwards"
        known = [message.carrier_id for message in seen if message.carrier_id is not None]
        assert len(set(known)) <= 1, "it took the id of another message"
        for before, after in pairwise(seen):
            if before.status in FINAL_STATES:
                assert after.status in {before.status, "delivered"}
            assert after.carrier_id is not None or before.carrier_id is None
        last = seen[-1]
        assert last.status != "failed" or last.error
        assert last.status not in FINAL_STATES or last.next_poll_at is None
        if last.status == "uncertain":
            assert last.error

    check()


async def test_reports_never_lead_backwards(nursery: trio.Nursery) -> None:
    with TemporaryDirectory() as folder:
        database = Database.open(new_database.make(Path(folder) / "phonegate.db"))
        await nursery.start(database.run_writer)
        org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))
        assistant = await add_assistant(database, org.id, SENDER)
        token = trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(check_steps, database, assistant, token)
        database.stop_writing()
        database.close()


async def test_what_the_carrier_has_is_never_called_unsent(database: Database) -> None:
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))
    assistant = await add_assistant(database, org.id, SENDER)

    def run(tx: Tables) -> Message | None:
        message = tx.messages.find(org.id, tx.messages.insert(new(org.id, assistant.id)))
        assert message is not None
        report = StatusReport(carrier_id="SM1", progress="sending")
        carrier_reports.reported(tx, assistant, report, message.id, NOW, polls=POLLS)
        carrier_reports.rejected(tx, message, "never got it")
        carrier_reports.lost_track(tx, message, "cut", NOW, NOW, polls=POLLS)
        carrier_reports.postponed(tx, message, "closed", NOW, polls=POLLS)
        return tx.messages.find(org.id, message.id)

    message = await database.write(run)
    assert message is not None
    assert (message.status, message.carrier_id, message.error) == ("sending", "SM1", None)
