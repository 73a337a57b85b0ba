import json
import resource
import stat
from pathlib import Path

import pytest
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
        with pytest.raises(JournalUnusable, match="torn"):
            journals[2].record(record)
    with JournalFile(tmp_path / "j") as file:
        assert [file.journal(name).ledger.knows(1) for name in "abc"] == [True, False, False]


def test_a_refused_record_is_not_written(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j") as file, pytest.raises(OutOfTurn):
        file.journal("one").record(Handed(id=1))
    assert (tmp_path / "j").stat().st_size == 0


def test_a_journal_needs_no_file() -> None:
    journal = Journal()
    journal.record(Taken(id=1, to="+1", body="x"))
    assert journal.ledger.knows(1)
