"""What docs/hooks.md says of mappings is what they do."""

import json
import re
from pathlib import Path

from phonegate.domain.hooks.mapping import MAX_ENTRIES, MAX_RECIPIENTS, Found, read_mapping
from phonegate.domain.hooks.ready_mappings import READY_MAPPINGS
from phonegate.domain.hooks.template import MAX_TEMPLATE
from phonegate.domain.hooks.values import FILTERS
from phonegate.model.hooks import HookMapping

TEXT = (Path(__file__).parent.parent / "docs" / "hooks.md").read_text()


def block(before: str, language: str) -> str:
    found = re.search(rf"{before}\n\n```{language}\n(.*?)\n```", TEXT, re.DOTALL)
    assert found is not None, before
    return found[1]


def test_its_template_makes_of_its_json_what_it_prints() -> None:
    posted = re.search(r"```json\n(.*?)\n```", TEXT, re.DOTALL)
    assert posted is not None
    template = block("A template and what is posted:", "text")
    mapping = HookMapping(to=("12345",), text=template)
    found = read_mapping(mapping).apply(json.loads(posted[1]))
    assert isinstance(found, Found)
    assert found.text == block("make", "text")


def test_every_ready_made_mapping_and_filter_is_listed() -> None:
    for ready in READY_MAPPINGS:
        assert f"| `{ready.name}` |" in TEXT
        if ready.header is not None:
            assert f"`{ready.header}`" in TEXT
    for name in FILTERS:
        assert re.search(rf"`{name}(:[^`]*)?`", TEXT), name


def test_its_bounds_are_the_bounds() -> None:
    assert f"{MAX_ENTRIES} entries and {MAX_RECIPIENTS} numbers" in TEXT
    assert f"templates of {MAX_TEMPLATE:,} characters" in TEXT
