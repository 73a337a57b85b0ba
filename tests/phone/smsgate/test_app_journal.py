import os
from pathlib import Path

import pytest

from phonegate.phone.errors import JournalUnusable
from phonegate.phone.smsgate.answers import Hook, Pulled, Registration
from phonegate.phone.smsgate.app_journal import AppJournalFile, decode, encode
from phonegate.phone.smsgate.app_memory import (
    Arrived,
    EventEnded,
    EventFailed,
    EventQueued,
    HookEvent,
    HooksTaken,
    Mail,
    Moved,
    Record,
    Registered,
    ReportAsked,
    ReportEnded,
    SettingsTaken,
    Stored,
    UnknownCancelled,
)
from phonegate.phone.smsgate.app_settings import AppSettings

HOOK = Hook(id="h", url="http://h", event="sms:received")
PULLED = Pulled(id="m", text="\u2028 💌 \ud800", phone_numbers=("+1",), mms={"text": "x"})
RECORDS: tuple[Record, ...] = (
    Registered(registration=Registration(id="d", token="t", login="l")),
    SettingsTaken(settings=AppSettings(signing_key="k", ping_every_s=3.5)),
    HooksTaken(webhooks=(HOOK,)),
    Stored(message=PULLED, time=1),
    Moved(id="m", number=None, state="Sent", time=2),
    ReportAsked(id="m"),
    UnknownCancelled(id="x"),
    ReportEnded(job=1),
    Arrived(
        mail=Mail(
            number=0, sender="+3", text="y", received_at=3, sim_number=1, parts=({"size": 1},)
        )
    ),
    EventQueued(event=HookEvent(id="e", webhook=HOOK, payload={"a": [1]}, queued_at=4, mail=0)),
    EventFailed(id="e", due=5),
    EventEnded(id="e"),
)


def test_a_step_comes_back_from_its_line() -> None:
    line = encode("app", RECORDS)
    assert line.count(b"\n") == 1
    assert decode(line) == ("app", list(RECORDS))


@pytest.mark.parametrize(
    "line",
    [
        b"x\n",
        b"[]\n",
        b"[" * 100_000,
        b'{"phone":"a"}\n',
        b'{"phone":"a","step":[{"record":"None"}]}\n',
        b"\xff\n",
    ],
)
def test_other_lines_are_no_steps(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a step"):
        decode(line)


def test_a_kill_at_any_byte_loses_at_most_the_step_that_was_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with AppJournalFile(path) as file:
        for record in RECORDS:
            file.journal("app").record(record)
    whole = path.read_bytes()
    for cut in (len(whole), len(whole) - 1, whole.index(b"Stored") + 20):
        path.write_bytes(whole[:cut])
        with AppJournalFile(path) as file:
            memory = file.journal("app").memory
            assert ("m" in memory.messages) == (cut > whole.index(b"Moved"))
            file.journal("app").record(ReportAsked(id="m"))
        with AppJournalFile(path) as file:
            assert file.journal("app").memory.jobs


def test_damage_another_program_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with (
        AppJournalFile(path),
        pytest.raises(JournalUnusable, match="another program"),
        AppJournalFile(path),
    ):
        pass
    path.write_bytes(encode("app", [Moved(id="m", number=None, state="Sent", time=0)]))
    with pytest.raises(JournalUnusable, match="line 1 is not a step"):
        AppJournalFile(path)
    path.write_bytes(b'{"phone":["app"],"step":[]}\n')
    with pytest.raises(JournalUnusable, match="line 1 is not a step"):
        AppJournalFile(path)
    with pytest.raises(JournalUnusable):
        AppJournalFile(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(JournalUnusable, match="regular"):
        AppJournalFile(fifo)
