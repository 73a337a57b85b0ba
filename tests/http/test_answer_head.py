"""How much of a head is read, whatever the pieces that it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.answer_head import MOST_BYTES, MOST_PROVISIONAL, AnswerHead, HeadTooLong

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"


def taken(data: bytes, size: int) -> bool:
    head = AnswerHead()
    try:
        for start in range(0, len(data), size):
            head.take(data[start : start + size])
    except HeadTooLong:
        return False
    return True


sizes = st.sampled_from([1, 2, 3, 7, 64, 65_536])


@given(size=sizes, early=st.integers(0, MOST_PROVISIONAL))
def test_a_body_may_be_as_long_as_it_likes(size: int, early: int) -> None:
    assert taken(EARLY * early + FINAL + b"x" * 3 * MOST_BYTES, size)


@given(size=sizes, end=st.sampled_from([b"\r\n", b"\n"]))
def test_provisional_answers_end(size: int, end: bytes) -> None:
    flood = b"HTTP/1.1 100 " + end + end
    assert taken(flood * MOST_PROVISIONAL + FINAL, size)
    assert not taken(flood * (MOST_PROVISIONAL + 1) + FINAL, size)


@pytest.mark.parametrize("size", [1, 1000, 65_536])
def test_a_head_has_so_many_bytes_at_most(size: int) -> None:
    begun = b"HTTP/1.1 200 OK\r\n"
    room = MOST_BYTES - len(begun) - 4
    assert taken(begun + b"a" * room + b"\r\n\r\n" + b"x" * 100, size)
    assert not taken(begun + b"a" * (room + 1) + b"\r\n\r\n", size)
    assert not taken(begun + b"a: b\r\n" * MOST_BYTES, size)


def test_the_words_of_a_provisional_answer_in_a_header_mean_nothing() -> None:
    line = b"HTTP/1.1 200 OK\r\nX: HTTP/1.1 100 \r\n\r\n"
    assert taken(line + b"HTTP/1.1 100 \r\n\r\n" * 20, 5)
