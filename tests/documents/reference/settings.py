"""The page of settings, made from `phonegate.config.settings`."""

from collections.abc import Iterator
from typing import Final

from phonegate.config.declared_assistants import EXAMPLE
from phonegate.config.setting_texts import SectionText, section_texts
from phonegate.operations.reload import TAKEN_UP
from tests.documents.markdown import code, link, linked, table
from tests.documents.reference.beginning import beginning

_NOW: Final = "on SIGHUP"
_LATER: Final = "after a restart"


def page() -> str:
    """Returns the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    sections = tuple(section_texts())
    yield beginning("settings")
    rows = (
        (link(code(f"[{one.name}]"), one.name), linked(one.about), _applied(one.name))
        for one in sections
    )
    yield from table(("section", "", "a change is applied"), rows)
    for section in sections:
        yield from _section(section)
    yield "## assistants\n"
    yield "Not a section: each assistant is a table of its own. No variable overrides them.\n"
    yield f"```toml\n{EXAMPLE.strip()}\n```"


def _section(section: SectionText) -> Iterator[str]:
    yield f"## {section.name}\n"
    yield f"{linked(section.about)} A change is applied {_applied(section.name)}.\n"
    for setting in section.settings:
        yield f"### {section.name}.{setting.key}\n"
        yield f"{linked(setting.help)}\n"
        kind = ", ".join(code(one) if '"' in one else one for one in setting.kind.split(", "))
        kind = kind.replace('`One of "', 'One of `"')
        yield f"{kind}. Default {code(setting.default)}. Variable {code(setting.variable)}.\n"


def _applied(section: str) -> str:
    return _NOW if section in TAKEN_UP else _LATER
