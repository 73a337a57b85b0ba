import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.store.moving.org_file import Chunk, FileProblem, Head, Lines, Reader

HEAD = Head(
    id="a1",
    schema=18,
    version="0.1.0",
    made_at=1,
    suspended_at=None,
    org={"id": 1, "name": "myorg", "secret_hash": "hash"},
    tables={"messages": ("id", "body"), "media_parts": ("message", "data")},
    given={"messages": 9},
    marks={},
    messages=2,
)

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(),
    st.binary(),
)


def written(chunks: list[list[list[Any]]], head: Head = HEAD) -> bytes:
    file = io.BytesIO()
    lines = Lines(file)
    lines.head(head)
    for number, rows in enumerate(chunks):
        lines.chunk(
            Chunk(number=number, table="messages", rows=rows, reached=("messages", (number,)))
        )
    lines.foot()
    return file.getvalue()


def read(content: bytes, schema: int = 18) -> tuple[Head, list[Chunk]]:
    reader = Reader(io.BytesIO(content), schema)
    return reader.head, list(reader.chunks())


@given(st.lists(st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=4), max_size=4))
def test_what_is_written_is_read(chunks: list[list[list[Any]]]) -> None:
    head, found = read(written(chunks))
    assert head == HEAD
    assert [one.rows for one in found] == chunks
    assert [one.reached for one in found] == [
        ("messages", (number,)) for number in range(len(chunks))
    ]


def test_usual_programs_read_it() -> None:
    lines = [json.loads(one) for one in gzip.decompress(written([[[1, b"x"]]])).splitlines()]
    assert lines[0]["phonegate_org"] == 1
    assert lines[1]["rows"] == [[1, {"base64": "eA=="}]]
    assert lines[2]["chunks"] == 1


@given(st.data())
def test_a_file_that_was_cut_is_never_taken_for_whole(data: st.DataObject) -> None:
    whole = written([[[1, "hello"]], [[2, "there"]]])
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FileProblem):
        read(whole[:end])


@given(st.data())
def test_a_file_that_was_changed_is_never_taken_for_whole(data: st.DataObject) -> None:
    whole = bytearray(written([[[1, "hello"]], [[2, "there"]]]))
    # Bytes 4 to 9 of a member say when and where it was packed, which means nothing.
    place = data.draw(st.integers(10, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        _, chunks = read(bytes(whole))
    except FileProblem:
        return
    assert [one.rows for one in chunks] == [[[1, "hello"]], [[2, "there"]]]


def test_chunks_that_are_whole_but_not_all_are_found_out() -> None:
    lines = gzip.decompress(written([[[1, "hello"]], [[2, "there"]]])).splitlines(keepends=True)
    for some in (
        [lines[0], lines[2], lines[3]],
        [lines[0], lines[1], lines[3]],
        [lines[0], lines[1], lines[1], lines[2], lines[3]],
        [*lines, lines[3]],
        [lines[1], lines[2], lines[3]],
        lines[:3],
        [b"[]\n"],
        [b"{\n"],
        [b'{"phonegate_org":1}\n', *lines[1:]],
        [b'{"phonegate_org":"x"}\n', *lines[1:]],
        [b'{"phonegate_org":1,"tables":[]}\n', *lines[1:]],
        [lines[0], b'{"number":0}\n'],
        [lines[0], b'{"number":0,"table":"messages","rows":[],"reached":[]}\n'],
    ):
        with pytest.raises(FileProblem):
            read(b"".join(map(gzip.compress, some)))


def test_other_files_are_refused() -> None:
    with pytest.raises(FileProblem, match="no file of an org"):
        read(b"SQLite format 3\0")
    with pytest.raises(FileProblem, match="it is empty"):
        read(b"")
    with pytest.raises(FileProblem, match="newer than this one"):
        read(written([]), schema=17)
    bomb = gzip.compress(b" " * (65 * 1024 * 1024))
    with pytest.raises(FileProblem, match="too long"):
        read(bomb)
