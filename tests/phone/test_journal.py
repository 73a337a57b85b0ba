import errno
import fcntl
import json
import os
import resource
import stat
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.errors import JournalUnusable
from phonegate.phone.journal import (
    Journal,
    JournalFile,
    decode,
    encode,
)
from phonegate.phone.ledger import OutOfTurn
from phonegate.phone.records import (
    Confirmed,
    Delivered,
    Handed,
    Inbound,
    InboundAcked,
    Record,
    Result,
    Taken,
)

ids = st.integers(1, 2**53)
texts = st.text()
records = st.one_of(
    st.builds(Taken, id=ids, to=texts, body=texts, sim=st.none() | texts),
    st.builds(Handed, id=ids),
    st.builds(Result, id=ids, success=st.booleans(), error=st.none() | texts),
    st.builds(Delivered, id=ids, date=ids),
    st.builds(Confirmed, results=st.lists(ids), deliveries=st.lists(ids)),
    st.builds(Inbound, id=texts, address=texts, body=texts, date=ids),
    st.builds(InboundAcked, ids=st.lists(texts)),
)


@given(phone=texts, record=records)
def test_a_record_comes_back_from_its_line(phone: str, record: Record) -> None:
    line = encode(phone, record)
    assert line.count(b"\n") == 1
    assert decode(line) == (phone, record)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"1",
        b"{}",
        b'{"phone":"a","record":"other","id":1}',
        b'{"phone":"a","record":"handed"}',
        b'{"phone":"a","record":"handed","id":1,"more":1}',
    ],
)
def test_other_lines_are_no_records(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(line)


def fill(path: Path) -> None:
    with JournalFile(path) as file:
        one, two = file.journal("one"), file.journal("two")
        one.record(Taken(id=1, to="+1", body="secret text"))
        two.record(Taken(id=1, to="+1", body="other"))
        one.record(Handed(id=1))


def test_a_file_remembers_each_phone_by_itself(tmp_path: Path) -> None:
    fill(tmp_path / "j")
    with JournalFile(tmp_path / "j") as file:
        assert [taken.id for taken in file.journal("one").ledger.interrupted()] == [1]
        assert [taken.body for taken in file.journal("two").ledger.waiting()] == ["other"]
        assert not file.journal("three").ledger.knows(1)


def test_each_record_is_in_the_file_when_record_returns(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j") as file:
        file.journal("one").record(Taken(id=1, to="+1", body="x"))
        assert json.loads((tmp_path / "j").read_bytes())["record"] == "taken"


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    fill(tmp_path / "j")
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600


def test_a_line_torn_by_a_kill_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j"
    fill(path)
    whole = path.read_bytes()
    path.write_bytes(whole + encode("one", Result(id=1, success=True))[:-9])
    with JournalFile(path) as file:
        journal = file.journal("one")
        assert len(journal.ledger.interrupted()) == 1
        journal.record(Result(id=1, success=False))
    assert path.read_bytes() == whole + encode("one", Result(id=1, success=False))


def test_damage_is_named_by_its_line_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j"
    fill(path)
    damaged = path.read_bytes().replace(b'"record":"handed"', b'"record":"dropped"')
    path.write_bytes(damaged)
    with pytest.raises(JournalUnusable, match="line 3") as caught:
        JournalFile(path)
    assert "secret text" not in str(caught.value)
    assert path.read_bytes() == damaged


def test_an_impossible_history_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(encode("one", Handed(id=1)))
    with pytest.raises(JournalUnusable, match="line 1"):
        JournalFile(path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"phone":["a"],"record":"taken","id":1,"to":"+1","body":"x"}\n',
        b'{"phone":"a","record":"finished","blocks":["1"]}\n',
        b'{"phone":"a","record":"finished","floor":"1","blocks":{"0":"1"}}\n'
        b'{"phone":"a","record":"finished","floor":1}\n',
        b'{"phone":"a","record":"inbound","id":{},"address":"","body":"","date":0}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_values_of_another_kind_are_damage(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "j").write_bytes(line)
    with pytest.raises(JournalUnusable, match="is not a record"):
        JournalFile(tmp_path / "j")


def test_one_program_at_a_time(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j"), pytest.raises(JournalUnusable, match="another program"):
        JournalFile(tmp_path / "j")
    JournalFile(tmp_path / "j").close()


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="directory"):
        JournalFile(tmp_path)


def test_only_a_regular_file_is_a_journal() -> None:
    with pytest.raises(JournalUnusable, match="regular"):
        JournalFile(Path("/dev/zero"))


def test_a_full_disk_is_told_and_nothing_follows_a_torn_line(tmp_path: Path) -> None:
    record = Taken(id=1, to="+1", body="x")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalFile(tmp_path / "j") as file:
        journals = [file.journal(name) for name in "abc"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(encode("a", record)) + 5, limits[1]))
        try:
            journals[0].record(record)
            with pytest.raises(JournalUnusable, match="no room"):
                journals[1].record(record)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        with pytest.raises(JournalUnusable, match="a line before"):
            journals[2].record(record)
    with JournalFile(tmp_path / "j") as file:
        assert [file.journal(name).ledger.knows(1) for name in "abc"] == [True, False, False]


def test_nothing_follows_a_record_that_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with JournalFile(tmp_path / "j") as file:
        journal = file.journal("a")
        with monkeypatch.context() as full:
            full.setattr(os, "write", refuse)
            with pytest.raises(JournalUnusable, match="No space left"):
                journal.record(Taken(id=1, to="+1", body="x"))
        # Memory has the message by then, and the file has not.
        with pytest.raises(JournalUnusable, match="a line before"):
            journal.record(Handed(id=1))
    JournalFile(tmp_path / "j").close()


def refuse(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_refused_record_is_not_written(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j") as file, pytest.raises(OutOfTurn):
        file.journal("one").record(Handed(id=1))
    assert (tmp_path / "j").stat().st_size == 0


def test_a_journal_needs_no_file() -> None:
    journal = Journal()
    journal.record(Taken(id=1, to="+1", body="x"))
    assert journal.ledger.knows(1)


def busy(file: JournalFile, messages: range) -> None:
    journal = file.journal("one")
    for message in messages:
        journal.record(Taken(id=message, to="+1", body="secret text"))
        journal.record(Handed(id=message))
        journal.record(Result(id=message, success=True))
        journal.record(Confirmed(results=[message]))


def test_a_grown_file_is_written_anew_and_remembers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "j"
    longest = 0
    with JournalFile(path, compact_bytes=2_000) as file:
        file.journal("two").record(Inbound(id="m", address="+2", body="mail", date=1))
        for message in range(2_500):
            busy(file, range(message, message + 1))
            longest = max(longest, path.stat().st_size)
        file.journal("one").record(Taken(id=2_500, to="+1", body="waits"))
    # A thousand results with a line of 150 bytes each, and three times as much before the next.
    assert longest < 900_000
    assert [one.name for one in tmp_path.iterdir()] == ["j"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with JournalFile(path, compact_bytes=2_000) as file:
        ledger = file.journal("one").ledger
        assert [taken.body for taken in ledger.waiting()] == ["waits"]
        assert all(ledger.knows(message) for message in range(2_500))
        assert [mail.id for mail in file.journal("two").ledger.unacked()] == ["m"]


def test_a_file_of_years_is_made_small_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with JournalFile(path) as file:
        busy(file, range(1_500))
    size = path.stat().st_size
    with JournalFile(path, compact_bytes=2_000) as file:
        assert path.stat().st_size < size / 2
        with pytest.raises(JournalUnusable, match="another program"):
            JournalFile(path)
        busy(file, range(1_500, 1_501))


def test_without_room_for_a_second_file_it_goes_on_growing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with JournalFile(tmp_path / "j", compact_bytes=1_000) as file:
        busy(file, range(1_200))
    monkeypatch.undo()
    assert [one.name for one in tmp_path.iterdir()] == ["j"]
    with JournalFile(tmp_path / "j") as file:
        assert file.journal("one").ledger.knows(1_199)


def test_a_file_that_another_took_the_place_of_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    fill(path)
    flock = fcntl.flock

    def replaced(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        path.rename(tmp_path / "old")
        path.touch()

    monkeypatch.setattr("fcntl.flock", replaced)
    with pytest.raises(JournalUnusable, match="another program"):
        JournalFile(path)


async def test_a_durable_journal_waits_for_the_disk_once_for_all_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fdatasync", synced.append)
    with JournalFile(tmp_path / "j", durable=True) as file:
        journal = file.journal("one")
        await journal.sync()
        assert not synced
        journal.record(Taken(id=1, to="+1", body="x"))
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(journal.sync)
        assert len(synced) == 1
    with JournalFile(tmp_path / "k") as file:
        file.journal("one").record(Taken(id=1, to="+1", body="x"))
        await file.journal("one").sync()
    assert len(synced) == 1


async def test_after_a_disk_that_refuses_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fdatasync", broken)
    with JournalFile(tmp_path / "j", durable=True) as file:
        journal = file.journal("one")
        journal.record(Taken(id=1, to="+1", body="x"))
        with pytest.raises(JournalUnusable, match="Input/output error"):
            await journal.sync()
        with pytest.raises(JournalUnusable):
            journal.record(Handed(id=1))
