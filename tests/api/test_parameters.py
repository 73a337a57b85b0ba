from typing import Annotated

import attrs

from phonegate.api.parameters import read_parameters
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf, Text, Whole


@attrs.frozen(kw_only=True)
class _Query:
    limit: Annotated[int, Whole(1, 9)] = field("how many", default=5)
    kind: Annotated[str, OneOf(("a", "b"))] | None = field("which", default=None)
    must: Annotated[str, Text(1, 5)] = field("needed", example="x", private=True)


def test_parameters_take_their_defaults_and_unknown_ones_pass() -> None:
    query, problems = read_parameters(_Query, {"must": ["x"], "other": ["y", "z"]})
    assert query == _Query(must="x")
    assert problems == {}


def test_every_wrong_parameter_is_told() -> None:
    query, problems = read_parameters(_Query, {"limit": ["10"], "kind": ["a", "a"]})
    assert query is None
    assert problems == {
        "limit": "must be at most 9",
        "kind": "is given more than once",
        "must": "is required",
    }
