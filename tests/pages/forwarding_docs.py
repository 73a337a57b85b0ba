"""The section of docs/phones.md about apps that forward, between its markers."""

from collections.abc import Iterator
from pathlib import Path

from phonegate.pages.forwarding_apps import APPS, ForwardingApp

DOCUMENT = Path(__file__).parents[2] / "docs" / "phones.md"
BEGIN, END = "<!-- forwarding apps -->\n", "<!-- end of forwarding apps -->"

SAMPLES = {"url": "https://sms.example.org", "key": "pgk_KEY", "phone": "my-phone"}
"""What stands in the document for the address, the key and the phone's name."""


def with_apps(document: str) -> str:
    """Puts the apps as they should be between the markers of a document."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, "the document has no place for the apps"
    assert end
    text = "\n".join(line for app in APPS for line in lines_of(app.filled(**SAMPLES)))
    return f"{before}{begin}{text}{end}{after}"


def lines_of(app: ForwardingApp) -> Iterator[str]:
    """What the document says of one app."""
    yield f"\n### {app.name}\n"
    known = "is recognised" if app.knows_repeats else "can't be recognised, and is stored again"
    yield f"{app.system}. {app.about} An SMS that it sends twice {known}.\n"
    for number, step in enumerate(app.steps, 1):
        yield f"{number}. {step}"
    for paste in app.pastes:
        yield f"\n{paste.field}:\n\n```text\n{paste.text}\n```"
    if app.notes:
        yield ""
    for note in app.notes:
        yield f"- {note}"
    yield ""
