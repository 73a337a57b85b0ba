import json
from typing import Annotated, ClassVar

import attrs
import pytest

from phonegate.api.convert import Converter
from phonegate.api.field_names import MAX_PROBLEMS
from phonegate.model.refusals import BadInput
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Several, Text, Whole


@attrs.frozen(kw_only=True)
class Item:
    to: Annotated[str, Text(1, 5)] = field("to")
    slot: Annotated[int, Whole(0, 9)] | None = field("slot", default=None)


@attrs.frozen(kw_only=True)
class Order:
    name: Annotated[str, Text(1, 5)] = field("name")
    items: Annotated[tuple[Item, ...], Several(1, 200)] | None = field("items", default=None)


@attrs.frozen(kw_only=True)
class Closed:
    closed: ClassVar[bool] = True
    name: Annotated[str, Text(1, 5)] = field("name")


@attrs.frozen(kw_only=True)
class Reply:
    n: int = field("n")
    nothing: str | None = field("null", default=None)
    rare: int | None = field("rare", default=None, omit=True)
    items: tuple[Item, ...] = field("items", default=())


def problems(value: object, cls: type = Order) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        Converter().structure(value, cls)
    return {p.field: p.problem for p in caught.value.problems}


def test_a_good_request_becomes_its_type() -> None:
    value = {"name": "x", "items": [{"to": "a", "slot": 3}, {"to": "b", "slot": None}], "more": 1}
    assert Converter().structure(value, Order) == Order(
        name="x", items=(Item(to="a", slot=3), Item(to="b"))
    )


def test_every_wrong_field_is_named_with_its_path() -> None:
    value = {"items": [{"to": "a"}, {"to": 5, "slot": "x"}, {"slot": True}, 7]}
    assert problems(value) == {
        "name": "is required",
        "items[1].to": "must be text",
        "items[1].slot": "must be a whole number",
        "items[2].to": "is required",
        "items[2].slot": "must be a whole number",
        "items[3]": "must be an object",
    }


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([], "must hold at least 1"),
        ([{"to": "a"}] * 201, "holds 201, at most 200 are allowed in one call"),
        ("abc", "must be a list"),
        ({"to": "a"}, "must be a list"),
    ],
)
def test_a_list_is_a_list_within_limits(items: object, problem: str) -> None:
    assert problems({"name": "x", "items": items}) == {"items": problem}


@pytest.mark.parametrize("value", [[], "x", 5, None, True])
def test_what_is_no_object_is_refused(value: object) -> None:
    assert problems(value) == {"": "must be an object"}


def test_the_sentence_names_the_first_field_and_counts_the_rest() -> None:
    with pytest.raises(BadInput) as caught:
        Converter().structure({"items": [{"to": 1}]}, Order)
    assert caught.value.detail == "name is required. (1 more in errors.)"


def test_an_answer_lists_no_more_problems_than_anybody_reads() -> None:
    with pytest.raises(BadInput) as caught:
        Converter().structure({"name": "x", "items": [{}] * 200}, Order)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert f"({MAX_PROBLEMS - 1} more in errors.)" in caught.value.detail


def test_what_follows_the_hundredth_problem_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[object] = []
    rule = Whole.read

    def counted(self: Whole, value: object) -> int:
        read.append(value)
        return rule(self, value)

    monkeypatch.setattr(Whole, "read", counted)
    with pytest.raises(BadInput) as caught:
        Converter().structure({"name": "x", "items": [{"to": 1, "slot": "x"}] * 200}, Order)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert len(read) == MAX_PROBLEMS // 2


def test_of_thousands_of_unknown_fields_a_hundred_are_named() -> None:
    value = {"name": "x"} | {f"f{number:05}": 1 for number in range(5_000)}
    assert list(problems(value, Closed)) == [f"f{number:05}" for number in range(MAX_PROBLEMS)]


def test_a_closed_type_refuses_unknown_fields_by_name() -> None:
    assert problems({"name": "x", "scope": 1, "b\x00" + "y" * 99: 2}, Closed) == {
        "scope": "is no field of this request",
        "b?" + "y" * 58 + "…": "is no field of this request",
    }


def test_an_answer_is_compact_json_and_leaves_out_only_what_may_be_left_out() -> None:
    converter = Converter()
    assert converter.encode(Reply(n=1)) == b'{"n":1,"nothing":null,"items":[]}'
    full = json.loads(converter.encode(Reply(n=1, rare=2, items=(Item(to="é"),))))
    assert full == {"n": 1, "nothing": None, "rare": 2, "items": [{"to": "é", "slot": None}]}


def test_half_a_surrogate_pair_never_makes_an_answer_unreadable() -> None:
    assert json.loads(Converter().encode({"error": "x\ud83d"}).decode()) == {"error": "x?"}
