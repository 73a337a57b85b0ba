"""docs/architecture.md, held against the tree."""

import re

from tests import architecture
from tests.test_layers import FOUNDATION, LAYERS

TEXT = architecture.DOCUMENT.read_text()


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    modules = (architecture.ROOT / "phonegate").rglob("*.py")
    assert [
        path for path in modules if not architecture.first_sentence(path).endswith((".", ":"))
    ] == []


def test_every_module_that_the_text_names_is_there() -> None:
    named = architecture.named_modules(TEXT)
    assert len(named) > 20
    roots = (architecture.ROOT / "phonegate", architecture.ROOT)
    assert [name for name in named if not any((root / name).is_file() for root in roots)] == []


def test_the_layers_are_those_of_the_test() -> None:
    (drawn,) = re.findall(r"## Layers\n.*?```text\n(.*?)```", TEXT, re.DOTALL)
    told = [
        frozenset(re.findall(r"[a-z]\w*(?:\.\w+)*", row.split("  ")[0]))
        for row in drawn.splitlines()
    ]
    layers = [members - {"__init__", "__main__"} for members in reversed(LAYERS)]
    assert told == [
        members for members in layers if members and members != FOUNDATION - {"__init__"}
    ]


def test_the_glossary_explains_each_word_once() -> None:
    glossary = architecture.DOCUMENT.with_name("glossary.md").read_text()
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", glossary, re.MULTILINE)
    assert len(words) > 40
    assert sorted(set(words), key=str.casefold) == words
