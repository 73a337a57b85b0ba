"""The names of the parts of an SMS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.generic.names import (
    KEY,
    KEY_PARAMETERS,
    NAMES,
    ORG_PARAMETERS,
    USER,
    by_part,
    given_by_part,
    meaning,
)
from phonegate.api.field_names import plain


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("to", "to"),
        ("To", "to"),
        ("number", "to"),
        ("phone", "to"),
        ("recipient", "to"),
        ("recipients", "to"),
        ("phoneNumber", "to"),
        ("PhoneNumber", "to"),
        ("phone_numbers", "to"),
        ("mobile", "to"),
        ("target", "to"),
        ("to[]", "to"),
        ("recipients[12]", "to"),
        ("text", "text"),
        ("message", "text"),
        ("body", "text"),
        ("Body", "text"),
        ("Message", "text"),
        ("msg", "text"),
        ("content", "text"),
        ("from", "from"),
        ("From", "from"),
        ("sender", "from"),
        ("originator", "from"),
        ("key", "key"),
        ("token", "key"),
        ("access_token", "key"),
        ("api-key", "key"),
        ("pass", "key"),
        ("password", "key"),
        ("h", "key"),
        ("user", "user"),
        ("username", "user"),
        ("login", "user"),
        ("u", "user"),
        ("sendAt", "send_at"),
        ("responsetype", "format"),
    ],
)
def test_each_name_means_one_part(name: str, part: str) -> None:
    found = meaning(name)
    assert found is not None
    assert found[0] == part


@pytest.mark.parametrize(
    "name", ["", "id", "to_no_plus", "mode", "type", "x" * 1000, "[0]", "to[x]"]
)
def test_other_names_mean_nothing(name: str) -> None:
    assert meaning(name) is None


def test_no_name_stands_for_two_parts() -> None:
    names = [name for names in NAMES.values() for name in names]
    assert len(names) == len(set(names))
    assert all(name == plain(name) for name in names)


def test_where_the_pipeline_looks_for_who_calls_is_where_the_names_do() -> None:
    for part, names in ((USER, ORG_PARAMETERS), (KEY, KEY_PARAMETERS)):
        assert {plain(name) for name in names} == set(NAMES[part])
        assert all(name == name.lower() for name in names)


def test_the_first_name_that_is_not_empty_counts() -> None:
    assert by_part([("Body", "123"), ("Message", "Your code is 123")]) == {
        "text": ("Your code is 123",)
    }
    assert by_part([("Body", "123"), ("Message", " \n")]) == {"text": ("123",)}
    assert by_part([("number", "2"), ("to", ""), ("phone", "3")]) == {"to": ("2",)}


def test_lists_have_all_values_of_one_name_and_others_their_first() -> None:
    pairs = [("to", "1"), ("number", "9"), ("to[]", "2"), ("text", "a"), ("text", "b")]
    assert by_part(pairs) == {"to": ("1", "2"), "text": ("a",)}
    assert given_by_part({"to": ["1", "2"], "text": ["", "b"]}) == {
        "to": ("1", "2"),
        "text": ("b",),
    }


KNOWN = st.sampled_from(sorted({*(n for names in NAMES.values() for n in names), *KEY_PARAMETERS}))


@given(st.lists(st.tuples(KNOWN | st.text(max_size=8), st.text(max_size=8))))
def test_whatever_is_given_keeps_to_its_own_part(pairs: list[tuple[str, str]]) -> None:
    found = by_part(pairs)
    for part, values in found.items():
        own = [value for name, value in pairs if (m := meaning(name)) is not None and m[0] == part]
        assert values
        assert all(value in own and value.strip() for value in values)
    assert given_by_part(found) == found
