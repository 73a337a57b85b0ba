"""What docs/events.md prints, by the heads of its sections."""

import re
from typing import Final

from kit.program import ROOT

TEXT: Final = (ROOT / "docs" / "events.md").read_text()


def block(section: str, language: str, holding: str = "") -> str:
    """Returns the one code block of a section, of whatever level its head is, that holds a text."""
    _, found, rest = TEXT.partition(f"# {section}\n")
    if not found:
        raise LookupError(f"docs/events.md has no section {section}")
    body = re.split(r"^#{2,4} ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    (block,) = (one for one in blocks if holding in one)
    return block
