from typing import Annotated

import attrs

from phonegate.typed_json.fields import field, fields_of
from phonegate.typed_json.rules import OneOf, Text, Whole


@attrs.frozen(kw_only=True)
class _Query:
    limit: Annotated[int, Whole(1, 9)] = field("how many", default=5)
    kind: Annotated[str, OneOf(("a", "b"))] | None = field("which", default=None)
    must: Annotated[str, Text(1, 5)] = field("needed", example="x", private=True)


def test_the_documents_find_everything_about_a_field() -> None:
    limit, kind, must = fields_of(_Query)
    assert (limit.rule, limit.required, limit.default) == (Whole(1, 9), False, 5)
    assert (kind.rule, kind.description) == (OneOf(("a", "b")), "which")
    assert (must.required, must.example, must.private) == (True, "x", True)
