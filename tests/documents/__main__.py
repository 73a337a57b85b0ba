"""Writes every made document: `python -m tests.documents`."""

from tests.documents.made import ROOT, outdated

if __name__ == "__main__":
    for path, text in outdated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))  # noqa: T201 - what was written
