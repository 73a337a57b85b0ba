"""Every document that is made from the code is as the code makes it."""

from pathlib import Path

import pytest

from tests.documents.made import COMMAND, MADE, ROOT


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_made_document_is_as_the_code_makes_it(path: Path) -> None:
    text = path.read_text() if path.exists() else ""
    assert text == MADE[path](text), f"refresh it by {COMMAND}"
