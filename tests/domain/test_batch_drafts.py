"""What is kept of a batch, as its form and in parts."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.batch_drafts import (
    BatchForm,
    digest,
    form_of,
    messages_of,
    packed,
    without_recipients,
)
from phonegate.domain.batch_plan import Draft

PAIRS = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=5).map(tuple)


@given(
    form=st.builds(
        BatchForm,
        draft=st.builds(
            Draft,
            to=st.text(max_size=50),
            table=st.text(max_size=50),
            text=st.text(max_size=50),
            country=st.sampled_from([None, "DE"]),
            copies=PAIRS,
        ),
        sender=st.sampled_from(["", "sim:0", "from:+15550001111"]),
        send_at=st.none() | st.integers(0, 1 << 45),
        ttl_s=st.none() | st.integers(1, 1 << 20),
        priority=st.integers(-100, 100),
    ),
    messages=PAIRS,
    start=st.integers(0, 6),
    count=st.integers(1, 6),
)
def test_what_was_kept_is_read_again_as_a_whole_and_in_parts(
    form: BatchForm, messages: tuple[tuple[str, str], ...], start: int, count: int
) -> None:
    kept = packed(form, messages)
    assert form_of(kept) == form
    assert messages_of(kept, start, count) == messages[start : start + count]


def test_the_same_is_known_by_what_is_sent_and_when() -> None:
    form = BatchForm(draft=Draft(to="+15553334444", table="", text="Hi"))
    sent = [("+15553334444", "Hi"), ("+15553334445", "Hi")]
    same = BatchForm(draft=Draft(to="", table="", text="{x}"), priority=50)
    assert digest(form, sent) == digest(same, sent)
    assert digest(form, sent) != digest(form, sent[::-1])
    assert digest(form, sent) != digest(BatchForm(draft=form.draft, sender="sim:0"), sent)
    assert digest(form, sent) != digest(BatchForm(draft=form.draft, send_at=1), sent)


def test_recipients_are_forgotten() -> None:
    draft = Draft(to="+15553334444", table="a", text="Hi", copies=(("+1", "x"),))
    bare = without_recipients(BatchForm(draft=draft, sender="sim:0"))
    assert bare == BatchForm(draft=Draft(to="", table="", text="Hi"), sender="sim:0")


def test_a_draft_of_a_version_that_kept_codes_of_countries() -> None:
    for before, now in (("+49", "DE"), ("", None), ("+999", None)):
        form = BatchForm(draft=Draft(to="0171 5550001", text="Hi", country=before))
        assert form_of(packed(form)).draft.country == now
