"""Forms become bodies, bodies become forms, and no problem gets lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from phonegate.model.refusals import BadInput, Conflict, FieldProblem
from phonegate.pages.console.form_fields import (
    Choices,
    Form,
    Items,
    Line,
    Number,
    Pairs,
    Paragraphs,
    Secret,
    Tick,
)

FORM = Form(
    Line("name", "Name"),
    Paragraphs("body", "Text"),
    Choices("scopes", "May"),
    Items("limits.to", "Recipients"),
    Number("limits.per_hour", "An hour"),
    Line("limits.quiet_hours.hours", "Hours"),
    Line("limits.quiet_hours.zone", "Time zone"),
    Tick("limits.hold", "Approval"),
    Pairs("headers", "Headers"),
    Secret("credentials.token", "Token"),
)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1)
entries = texts.map(lambda text: text.translate({ord(c): "x" for c in ",;"})).map(str.strip)
entries = entries.filter(bool)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "body": st.lists(st.text(st.characters(exclude_characters="\r")), min_size=1)
        .map("\n".join)
        .filter(bool),
        "scopes": st.lists(texts, min_size=1),
        "headers": st.dictionaries(
            st.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True).map(str.lower),
            texts,
            min_size=1,
        ),
        "limits": st.fixed_dictionaries(
            {"hold": st.just(True)},
            optional={
                "to": st.lists(entries, min_size=1),
                "per_hour": st.integers(0, 10**9),
                "quiet_hours": st.fixed_dictionaries({"hours": texts, "zone": texts}),
            },
        ),
    },
)


def sent(**fields: Any) -> "MultiDict[str, str]":
    pairs = {name.replace("__", "."): value for name, value in fields.items()}
    return MultiDict(pairs)


@given(bodies)
def test_a_form_of_a_body_becomes_that_body(body: dict[str, Any]) -> None:
    shown = FORM.of(body)
    assert FORM.body(MultiDict({name: list(held) for name, held in shown.held.items()})) == body


def test_a_form_is_read_as_people_fill_it_in() -> None:
    body = FORM.body(
        sent(
            name="  billing ",
            body="one\r\n two ",
            scopes=["send", "read"],
            limits__to="+1555*, +491701234567;\r\n\r\n 12345 ",
            limits__per_hour=" 10 ",
            limits__hold="on",
            headers="Authorization: Bearer a:b\r\n\r\nX-A:1",
            credentials__token="abc",
            csrf="x",
        )
    )
    assert body == {
        "name": "billing",
        "body": "one\n two ",
        "scopes": ["send", "read"],
        "limits": {"to": ["+1555*", "+491701234567", "12345"], "per_hour": 10, "hold": True},
        "headers": {"Authorization": "Bearer a:b", "X-A": "1"},
        "credentials": {"token": "abc"},
    }


def test_what_is_empty_is_left_out_unless_that_takes_something_away() -> None:
    assert FORM.body(sent(name=" ", limits__per_hour="", body="")) == {}
    form = Form(
        Line("address", empty=""),
        Number("phone", empty=0),
        Tick("hold", unticked=False),
        Items("limits.to"),
        Choices("events", required=True),
        always=("limits",),
    )
    assert form.body(sent()) == {
        "limits": {},
        "address": "",
        "phone": 0,
        "hold": False,
        "events": [],
    }


@given(st.dictionaries(st.sampled_from(["name", "limits.per_hour", "limits.to"]), st.text()))
def test_whatever_is_sent_is_shown_again_and_never_fails(fields: dict[str, str]) -> None:
    FORM.body(MultiDict(fields))
    again = FORM.again(MultiDict(fields))
    assert {name: again.value(name) for name in fields} == fields


def test_what_is_no_number_goes_to_the_api_as_it_is() -> None:
    for text in ("ten", "1.5", "٣", "9" * 5000):
        assert FORM.body(sent(limits__per_hour=text)) == {"limits": {"per_hour": text}}


@pytest.mark.parametrize("lines", ["Authorization", "X-A: 1\nx-a: 2"])
def test_pairs_that_make_no_object_are_refused(lines: str) -> None:
    with pytest.raises(BadInput) as refused:
        FORM.body(sent(headers=lines))
    assert FORM.again(sent(headers=lines), refused.value).problem("headers")


def test_a_problem_stands_beside_its_field_with_the_entry_that_is_wrong() -> None:
    fields = sent(limits__to="+1555*,x y", name="")
    problems = [
        FieldProblem("limits.to[1]", "must be a number"),
        FieldProblem("name", "is required"),
        FieldProblem("limits.quiet_hours", "must be an object"),
        FieldProblem("headers.Host", "is set by the gateway itself"),
        FieldProblem("credentials.token", "made", "A whole sentence."),
        FieldProblem("limits.frm", "is not a known field"),
        FieldProblem("elsewhere", "is wrong"),
    ]
    again = FORM.again(fields, BadInput("All is wrong.", problems))
    assert [(one.name, one.label, one.sentence) for one in again.problems] == [
        ("limits.to", "Recipients", "“x y” must be a number."),
        ("name", "Name", "It is required."),
        ("limits.quiet_hours.hours", "Hours", "Must be an object."),
        ("headers", "Headers", "“Host” is set by the gateway itself."),
        ("credentials.token", "Token", "A whole sentence."),
        ("", "", "limits.frm is not a known field."),
        ("", "", "elsewhere is wrong."),
    ]
    assert again.problem("limits.to") == "“x y” must be a number."
    assert again.problem("limits.hold") == ""


@given(st.lists(st.tuples(st.text(), st.text(min_size=1)), min_size=1))
def test_no_problem_is_lost_wherever_it_is(found: list[tuple[str, str]]) -> None:
    problems = [FieldProblem(place, problem) for place, problem in found]
    shown = FORM.again(sent(), BadInput("Wrong.", problems)).problems
    assert len(shown) == len(problems)
    for one, problem in zip(shown, problems, strict=True):
        assert problem.problem[1:] in one.sentence


def test_a_refusal_of_no_field_is_said_as_a_whole() -> None:
    again = FORM.again(sent(name="x"), Conflict("There is one."))
    assert [one.sentence for one in again.problems] == ["There is one."]
    assert again.value("name") == "x"


def test_a_credential_never_stands_in_a_page() -> None:
    again = FORM.again(sent(credentials__token="abcdefgh"))
    assert again.value("credentials.token") == ""
    assert FORM.of({"credentials": {"token": "abcdefgh"}}).value("credentials.token") == ""
