"""What docs/events.md prints, by the heads of its sections."""

import re
from typing import Final

from kit.program import ROOT

TEXT: Final = (ROOT / "docs" / "events.md").read_text()


def block(section: str, language: str) -> str:
    """Returns the one code block of a language in a section, of whatever level its head is."""
    _, found, rest = TEXT.partition(f"# {section}\n")
    if not found:
        raise LookupError(f"docs/events.md has no section {section}")
    body = re.split(r"^#{2,4} ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    commands = [one for one in blocks if language != "sh" or "phonegate webhook add" in one]
    if len(commands) != 1:
        raise LookupError(f"{section} has {len(commands)} such blocks of {language}")
    return commands[0]
