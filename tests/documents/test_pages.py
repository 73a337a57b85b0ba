"""The pages of the reference are whole."""

import re

import pytest

from phonegate.api.table import build_table
from phonegate.cli import group
from phonegate.cli.command_tree import described
from phonegate.config.setting_texts import section_texts
from phonegate.http.refusals import CODES
from tests.documents.made import REFERENCE, ROOT
from tests.documents.markdown import anchor
from tests.documents.phrases import phrase

FOLDER = ROOT / "docs" / "reference"
TEXTS = {name: (FOLDER / name).read_text() for name in REFERENCE}
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)


@pytest.mark.parametrize("name", REFERENCE)
def test_no_anchor_is_meant_twice(name: str) -> None:
    found = [anchor(heading) for heading in headings(TEXTS[name])]
    assert sorted(set(found)) == sorted(found)


def test_nothing_is_missing() -> None:
    commands, api = set(headings(TEXTS["commands.md"])), set(headings(TEXTS["api.md"]))
    root, *below = described(group).all()
    assert {command.name for command in below} <= commands
    assert root.commands
    for endpoint in build_table().endpoints:
        if endpoint.dialect is not None:
            assert endpoint.summary in TEXTS["api.md"]
        elif endpoint.listed:
            assert f"{endpoint.method} {endpoint.paths[0]}" in api
    settings = {f"{one.name}.{each.key}" for one in section_texts() for each in one.settings}
    assert settings <= set(headings(TEXTS["settings.md"]))
    assert list(CODES) == headings(TEXTS["errors.md"])[1:]


@pytest.mark.parametrize("name", REFERENCE)
def test_rows_of_a_table_have_as_many_cells_as_its_head(name: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", _FENCE.sub("", TEXTS[name]), re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(counts) == 1, table[:200]


@pytest.mark.parametrize(
    ("schema", "usual", "every"),
    [
        ({"type": "string", "maxLength": 9}, "text, up to 9 characters", None),
        (
            {"type": ["integer", "null"], "minimum": 1, "maximum": 5},
            "integer or null, 1 to 5",
            None,
        ),
        ({"type": "string", "enum": ["a", "b"]}, "`a`, `b`", "`a`, `b`"),
        ({"const": True, "type": "boolean"}, "always `true`", "`true`"),
        ({"$ref": "#/components/schemas/Sim"}, "an object", "an object"),
        ({}, "any JSON", "any JSON"),
        (
            {"anyOf": [{"type": "string", "pattern": "x"}, {"type": "integer"}, {"type": "null"}]},
            "null or integer",
            "text or integer or null",
        ),
        (
            {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "null"}, {}]},
            None,
            "text or null",
        ),
    ],
)
def test_a_value_is_said_in_words(
    schema: dict[str, object], usual: str | None, every: str | None
) -> None:
    if usual is not None:
        assert phrase(schema) == usual
    if every is not None:
        assert phrase(schema, every=True) == every
