"""The query of a request: from its text to parameters with their values. Pure."""

import re
from typing import Final
from urllib.parse import parse_qsl

from phonegate.api.convert import refusal
from phonegate.api.field_names import shown
from phonegate.model.refusals import BadInput, FieldProblem

MAX_PARAMETERS: Final = 50
"""Parameters in a query, several times what any endpoint knows."""

UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that is no part of UTF-8."""


def parse_query(text: str, *, strict: bool = True) -> dict[str, list[str]]:
    """Returns the parameters of a query, each with all the values that it was given.

    Args:
        text: The query, as sent.
        strict: Whether it must be UTF-8. Else each byte that is not stands as a character from
            U+DC80 on, as Python's `surrogateescape` has it.

    Raises:
        BadInput: not UTF-8, or more parameters than anything here takes.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise BadInput(f"The query has more than {MAX_PARAMETERS} parameters.") from None
    foreign = [name for name, value in pairs if UNDECODED.search(name + value)]
    if foreign and strict:
        raise refusal(tuple(FieldProblem(shown(name), "is not UTF-8") for name in foreign))
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result
