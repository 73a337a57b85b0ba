import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import CONVERTER
from phonegate.api.message_text import message_text, page_text, rows_text
from phonegate.api.messages_types import MessagesAnswer
from phonegate.api.presenters import message_json
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import PAGE_BYTES, MessageView, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.states import STATES
from phonegate.model.times import MAX_TIME_MS
from phonegate.store.pages import _bounded
from phonegate.store.rows import SHOWN

MEDIA = "https://gate.lan/media/myorg"
SIM = Sim(slot=0, number="+15551112222", carrier="AT&T")
PHONE = OnlinePhone(phone=7, device_id=None, name=None, sims=(SIM,))

TEXTS = st.text(max_size=8) | st.sampled_from(["'''", '"', "{}", "{it}", "\\", "\x00\x7f", "😀"])
TIMES = st.integers(0, MAX_TIME_MS) | st.sampled_from([0, 999, 1000, 1_700_000_000_001])
CHOSEN = {
    "status": st.sampled_from(sorted(STATES)),
    "provider": st.sampled_from(["phone", "twilio"]),
    "phone": st.sampled_from([None, 7, 8]),
    "sim_selector": st.sampled_from(["", "0", "1", "+15551112222"]),
    "parts": st.sampled_from([0, 0, 2]),
    **{
        name: st.none() | TIMES
        for name in ("sent_at", "delivered_at", "held_until", "expires_at", "wanted_at", "acked_at")
    },
    "created_at": TIMES,
}


def values(hint: object) -> st.SearchStrategy[object]:
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(TEXTS, max_size=2).map(tuple)
    if hint is str:
        return TEXTS
    if hint is int:
        return st.integers(-(2**63), 2**63 - 1)
    if hint is type(None):
        return st.none()
    return st.one_of([values(kind) for kind in get_args(hint)])


VIEWS = st.tuples(
    *(
        CHOSEN[name] if name in CHOSEN else values(hint)
        for name, hint in get_type_hints(MessageView).items()
    )
).map(MessageView._make)
ONLINE = st.sampled_from([None, (), (PHONE,)])


def known() -> Sequence[Sim]:
    return (SIM,)


@given(VIEWS, ONLINE)
def test_a_message_has_the_text_of_its_object(
    message: MessageView, online: Sequence[OnlinePhone] | None
) -> None:
    text = message_text(message, online, known, media=MEDIA)
    assert text == CONVERTER.text(message_json(message, online, known, media=MEDIA))


@given(st.lists(VIEWS, max_size=3), st.sampled_from([(), (PHONE,)]))
def test_a_page_has_the_text_of_its_answer(
    found: list[MessageView], online: Sequence[OnlinePhone]
) -> None:
    shown = tuple(message_json(one, online, known, media=MEDIA) for one in found)
    answer = MessagesAnswer(org_id="my-org_1", count=len(shown), messages=shown)
    text = page_text("my-org_1", found, online, known, media=MEDIA)
    assert text == CONVERTER.encode(answer)


def rows_of(found: list[MessageView]) -> list[tuple[object, ...]]:
    """What the database gives of messages as rows of the columns that pages show."""
    with closing(sqlite3.connect(":memory:")) as file:
        file.execute(f"CREATE TABLE messages (n, {', '.join(MessageView._fields)})")
        marks = ", ".join("?" * (1 + len(MessageView._fields)))
        for number, one in enumerate(found):
            values: dict[str, Any] = one._asdict()
            if one.media_urls is not None:
                values["media_urls"] = json.dumps(one.media_urls)
            file.execute(f"INSERT INTO messages VALUES ({marks})", (number, *values.values()))
        return file.execute(f"SELECT {', '.join(SHOWN)} FROM messages ORDER BY n").fetchall()


@given(
    st.lists(VIEWS, max_size=4),
    st.sampled_from([(), (PHONE,)]),
    st.sampled_from([PAGE_BYTES, 2_000, 1_000]),
)
def test_rows_have_the_text_of_their_page(
    found: list[MessageView], online: Sequence[OnlinePhone], most: int
) -> None:
    text = page_text("my-org_1", found, online, known, media=MEDIA)
    rows = rows_of(found)
    made = rows_text("my-org_1", rows, online, known, media=MEDIA, most_bytes=most)
    if made is None:
        assert most < PAGE_BYTES
        return
    assert made == text
    # Not one of them would have been left to the next page.
    assert _bounded(found, PageQuery(limit=4, most_bytes=most)) == found


def test_an_ordinary_message_is_read_without_what_it_has_not() -> None:
    values: dict[str, Any] = dict.fromkeys(MessageView._fields)
    values |= {"status": "sent", "parts": 0, "key": "k3v9"}
    found = [MessageView(**(values | one)) for one in ({}, {"parts": 1}, {"expires_at": 1})]
    assert [row[-1] is None for row in rows_of(found)] == [True, False, False]
