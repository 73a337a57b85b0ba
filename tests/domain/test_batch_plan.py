"""What becomes of a text and a list of recipients."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.batch_plan import (
    BOTH,
    MAX_RECIPIENTS,
    NO_NUMBERS,
    NO_RECIPIENTS,
    NO_TEXT,
    Draft,
    Plan,
    Planned,
    literal,
    placeholders,
    plan,
    recipients_of,
    with_contacts,
)
from phonegate.domain.segmentation import count
from phonegate.model.bounds import MAX_CHARACTERS, MAX_SEGMENTS
from phonegate.model.contacts import Contact

ANNA = Contact(number="+15551110001", name="Anna Ábel")
BOOK = {"anna": [ANNA], "ben": [Contact(number="1234", name="Ben", label="work"), ANNA]}


def _plan(draft: Draft) -> Plan:
    recipients = recipients_of(draft)
    if recipients.problems:
        return Plan(faults=recipients.problems)
    resolved = with_contacts(recipients, BOOK)
    return plan(draft, resolved, columns=recipients.columns, contacts={ANNA.number: ANNA})


def test_recipients_are_typed_as_people_do() -> None:
    made = _plan(
        Draft(to="anna, +49 171 55501;Carl <0049 171 55502>\n\n12345", text="Hi {name|you}")
    )
    assert [(one.line, one.to, one.name, one.body) for one in made.messages] == [
        (1, "+15551110001", "Anna Ábel", "Hi Anna Ábel"),
        (2, "+4917155501", "", "Hi you"),
        (3, "+4917155502", "Carl", "Hi Carl"),
        (4, "12345", "", "Hi you"),
    ]
    assert (made.problems, made.faults, made.repeats) == ((), (), ())


def test_a_number_gets_the_name_of_its_contact() -> None:
    made = _plan(Draft(to="+15551110001", text="{NAME}, {number}"))
    assert [one.body for one in made.messages] == ["Anna Ábel, +15551110001"]


def test_columns_are_placeholders() -> None:
    table = "Phone;First name;Sum\n+1 555 111 0001;Anna;5 €\n+15551110002;;7\n+15551110003;C;\n"
    made = _plan(Draft(table=table, text="Dear {first name|friend}, {Sum}. {{x}} {phone}"))
    assert [one.body for one in made.messages] == [
        "Dear Anna, 5 €. {x} +15551110001",
        "Dear friend, 7. {x} +15551110002",
    ]
    assert [(one.line, one.problem) for one in made.problems] == [(4, "has nothing for {Sum}")]


def test_the_first_of_several_numbers_counts() -> None:
    table = "name,mobile,phone\nA,+15551110001,+15551110002\nB,,+15551110003\nC,,\n"
    made = _plan(Draft(table=table, text="{name}"))
    assert [one.to for one in made.messages] == ["+15551110001", "+15551110003"]
    assert [one.line for one in made.problems] == [4]


def test_all_that_is_wrong_is_said_by_line() -> None:
    draft = Draft(to="0171 5550001, dora, ben, 1, +15551110002", text="x")
    made = _plan(draft)
    assert [one.to for one in made.messages] == ["+15551110002"]
    problems = {one.line: one.problem for one in made.problems}
    assert list(problems) == [1, 2, 3, 4]
    assert "country code" in problems[1]
    assert problems[2] == "“dora” is no number and no contact"
    assert problems[3].endswith("of 1234 (work), +15551110001")
    assert _plan(Draft(to="0171 5550001", text="x", country="DE")).messages[0].to == "+491715550001"


def test_what_is_given_by_a_table_is_never_a_placeholder() -> None:
    made = _plan(Draft(table="number,text\n+15551110001,{name} {x\n", text="{text}"))
    assert [one.body for one in made.messages] == ["{name} {x"]


def test_one_number_gets_one_message_unless_more_are_wanted() -> None:
    made = _plan(
        Draft(table="number,n\n+15551110001,1\n+15551110002,2\n0015551110001,3\n", text="{n}")
    )
    assert [one.body for one in made.chosen(repeats=False)] == ["1", "2"]
    assert [one.line for one in made.repeats] == [4]
    assert [one.body for one in made.chosen(repeats=True)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("draft", "fault"),
    [
        (Draft(to="12345"), NO_TEXT),
        (Draft(text="x"), NO_RECIPIENTS),
        (Draft(to="12345", table="12345", text="x"), BOTH),
        (Draft(table="name,city\nAnna,Rome\n", text="x"), NO_NUMBERS),
        (Draft(to="12345", text="x" * 1601), "The text has 1601 characters, and 1600 is the most."),
        (
            Draft(to="12345", text="{nmae}"),
            "{nmae} in the text stands for nothing. There is {name}, ",
        ),
        (Draft(table="a\0b", text="x"), "The file is no text."),
    ],
)
def test_what_keeps_all_of_it_back(draft: Draft, fault: str) -> None:
    made = _plan(draft)
    assert made.faults[0].problem.startswith(fault)


def test_a_filled_text_has_its_limit_too() -> None:
    table = "number,text\n+15551110001," + "y" * 1000 + "\n"
    made = _plan(Draft(table=table, text="{text}{text}"))
    assert [one.problem for one in made.problems] == [
        "would have 2000 characters, and 1600 is the most"
    ]
    assert (
        _plan(Draft(to="12345", text="{name|  }")).problems[0].problem
        == "would be an empty message"
    )


def test_an_org_may_let_its_texts_be_longer() -> None:
    draft = Draft(to="12345", text="x" * 5_000)
    recipients = recipients_of(draft).found
    (made,) = plan(draft, recipients, most_characters=5_000).messages
    assert (len(made.body), made.segments) == (5_000, 33)
    assert plan(draft, recipients, most_characters=4_999).faults[0].problem == (
        "The text has 5000 characters, and 4999 is the most."
    )
    long = Draft(to="12345", text="ж" * (67 * MAX_SEGMENTS + 1))
    refused = plan(long, recipients, most_characters=MAX_CHARACTERS)
    assert [one.problem for one in refused.problems] == [
        "would take 256 segments, and 255 is the most"
    ]


def test_all_messages_together_have_their_limit() -> None:
    many = "\n".join(f"+1555{at:07}" for at in range(500))
    draft = Draft(to=many, text="x" * 39_000)
    recipients = recipients_of(draft).found
    made = plan(draft, recipients, most_characters=MAX_CHARACTERS)
    assert made.faults[0].problem == (
        "The messages have 19500000 characters together, and 16000000 is the most: divide them."
    )
    assert not plan(draft, recipients[:400], most_characters=MAX_CHARACTERS).faults


def test_there_is_an_end_to_it() -> None:
    many = "\n".join(f"+1555{at:07}" for at in range(MAX_RECIPIENTS + 1))
    for draft in (Draft(to=many, text="x"), Draft(table=many, text="x")):
        assert str(MAX_RECIPIENTS + 1) in _plan(draft).faults[0].problem


@given(st.text(max_size=50))
def test_a_literal_text_leaves_as_it_is(text: str) -> None:
    draft = Draft(to="12345", text=literal(text))
    assert placeholders(draft.text) == []
    if text.strip():
        assert _plan(draft).messages == (
            Planned(line=1, to="12345", body=text, segments=count(text)),
        )


@given(st.text(), st.text(), st.text())
def test_no_draft_breaks_it(to: str, table: str, text: str) -> None:
    for draft in (Draft(to=to, text=text), Draft(table=table, text=text)):
        for one in _plan(draft).chosen(repeats=True):
            assert one.body.strip()
