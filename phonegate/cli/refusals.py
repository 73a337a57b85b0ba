"""The text of a gateway's refusal for a person, with every wrong field. Pure."""

import re
from collections.abc import Sequence
from typing import Final

_MORE: Final = re.compile(r" \(([0-9]+) more in errors\.\)\Z")
"""The end of a refusal's sentence when it has more wrong fields than it names."""


def refusal(detail: str, problems: Sequence[tuple[str, str]]) -> str:
    """Returns the text of a gateway's refusal, which names each wrong field and problem once."""
    more = _MORE.search(detail)
    if more is not None:
        detail = detail[: more.start()]
    others = [(field, problem) for field, problem in problems if not _said(field, problem, detail)]
    lines = [detail, *(f"  {field}: {problem}" for field, problem in others)]
    if more is not None and (unnamed := int(more[1]) - len(others)) > 0:
        lines.append(f"  and {unnamed} more")
    return "\n".join(lines)


def _said(field: str, problem: str, detail: str) -> bool:
    """Tells whether a sentence already names a problem, in words or in its list (`: a, b`)."""
    listed = problem.partition(": ")[2]
    return f"{field} {problem}" in detail or bool(
        listed and f": {listed}" in detail and "[" not in field
    )
