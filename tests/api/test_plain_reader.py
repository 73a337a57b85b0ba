"""What the plain reader makes of a request is what the reader of any request makes of it."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import CONVERTER
from phonegate.api.messages_types import Send, Webhook
from phonegate.api.table import build_table
from phonegate.model.refusals import BadInput
from phonegate.typed_json.fields import Wrong, json_name
from phonegate.typed_json.plain_reader import PlainReader

BODIES = sorted({one.body for one in build_table().endpoints if one.body}, key=lambda c: c.__name__)

PLAIN = PlainReader()

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, 5, 1.0, 2.5, -1, 10**30, 1_900_000_000_000, [], {}),
        *("", "a", "x" * 70, "\0", "\ud800", "5", "*", "send", "telnyx", "myorg"),
        *("+15553334444", "12345", "my-secret-key-123", "https://example.org/x"),
        *("2030-01-01T00:00:00Z", ["send"], ["*"], ["+15553334444"]),
    ]
)


def objects(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are nearly requests of a type."""
    fields = {
        json_name(a.name): values(a.type, a.metadata.get("example")) for a in attrs.fields(cls)
    }
    others = st.dictionaries(st.sampled_from(["more", "To", "org_id", "sendat"]), ODD, max_size=1)
    required = {json_name(a.name) for a in attrs.fields(cls) if a.default is attrs.NOTHING}
    whole = st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in required},
        optional={name: fields[name] for name in fields if name not in required},
    )
    some = st.fixed_dictionaries({}, optional=fields)
    known = st.one_of(whole, whole, whole, some)
    return st.one_of(known, known, st.builds(lambda a, b: a | b, known, others))


def values(type_: Any, example: object) -> st.SearchStrategy[Any]:
    usual = st.just(example) if example is not None else ODD
    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) in {Union, UnionType}:
        return st.one_of(st.none(), *(values(one, example) for one in get_args(type_)))
    if attrs.has(type_):
        return st.one_of(objects(type_), objects(type_), ODD)
    if get_origin(type_) is tuple and attrs.has(get_args(type_)[0]):
        items = st.lists(st.one_of(objects(get_args(type_)[0]), ODD), max_size=3)
        right = st.lists(objects(get_args(type_)[0]), min_size=1, max_size=3)
        return st.one_of(right, right, items, ODD)
    return st.one_of(usual, usual, usual, usual, ODD)


def read(reader: Any, value: object, cls: type) -> object:
    try:
        return reader(value, cls, ("org_id",))
    except BadInput as error:
        return error.detail, error.problems


@pytest.mark.parametrize("cls", BODIES)
@given(st.data())
def test_both_readers_agree(cls: type, data: st.DataObject) -> None:
    value = data.draw(st.one_of(objects(cls), objects(cls), objects(cls), ODD))
    assert read(CONVERTER.read, value, cls) == read(CONVERTER.read_any, value, cls)


@pytest.mark.parametrize(
    ("cls", "value"),
    [
        (Send, {"to": "+15553334444", "body": "a"}),
        (Send, {"messages": [{"to": "+15553334444", "body": "a", "sim": None}], "priority": 1}),
        (Webhook, {"org_id": "myorg", "more": 1, "messages": [{"address": "a", "body": "b"}]}),
    ],
)
def test_what_is_plain_is_read_by_the_plain_reader(cls: type, value: object) -> None:
    reader = PLAIN.reader(cls)
    assert reader is not None
    assert (reader(value), ()) == CONVERTER.read_any(value, cls)


def test_a_type_whose_fields_have_no_rule_is_not_its_business() -> None:
    @attrs.frozen
    class Bare:
        n: int

    @attrs.frozen
    class Made:
        items: Annotated[list[int], "no rule"] = attrs.field(factory=list)

    assert (PLAIN.reader(Bare), PLAIN.reader(Made)) == (None, None)


def test_it_gives_up_at_an_unknown_field() -> None:
    reader = PLAIN.reader(Send)
    assert reader is not None
    with pytest.raises(Wrong):
        reader({"to": "+15553334444", "body": "a", "more": 1})
