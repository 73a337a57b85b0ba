"""The tables of docs/phone-link.md, between its markers, made from the types of the frames."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from phonegate.api.openapi.phone_link import frame_schema
from phonegate.api.openapi.schema import Components
from phonegate.phones import frames
from phonegate.phones.frames import GatewayFrame, PhoneFrame
from phonegate.typed_json.fields import Field, fields_of
from phonegate.typed_json.rules import Entries, Entry
from tests.documents.phrases import phrase

DOCUMENT = Path(__file__).parents[2] / "docs" / "phone-link.md"
BASIC = (frames.Connected, frames.Sims, frames.Inbound, frames.SendSms, frames.SendResult)
EXTENDED = tuple(
    cls for cls in (*get_args(PhoneFrame), *get_args(GatewayFrame)) if cls not in BASIC
)


def with_tables(document: str) -> str:
    """Puts the tables as they should be between the markers of a document."""
    tables = {
        "basic": [overview(BASIC)],
        "extended": [overview(EXTENDED)],
        "fields": [fields_table(cls) for cls in (*BASIC, *EXTENDED)],
    }
    for name, found in tables.items():
        before, begin, rest = document.partition(f"<!-- frames: {name} -->\n")
        _, end, after = rest.partition("<!-- end of frames -->")
        assert begin, f"the document has no place for {name}"
        assert end
        document = "".join([before, begin, "\n".join(found), end, after])
    return document


def overview(classes: tuple[Any, ...]) -> str:
    """A row for each frame, with an example."""
    rows = [
        f"| {direction(cls)} | `{json.dumps(example_of(cls), separators=(',', ':'))}` | {about} |"
        for cls in classes
        for about in [first_paragraph(cls)]
    ]
    return "\n".join(["| direction | frame | |", "|---|---|---|", *rows, ""])


def fields_table(cls: Any) -> str:
    """A row for each field of a frame, and for each of the objects in it."""
    rows = [f"| `{name}` | {form} | {about} |" for name, form, about in field_rows(cls)]
    if not rows:
        return ""
    head = f"| `{cls.type}` | value | |"
    return "\n".join([head, "|---|---|---|", *rows, "", ""])


def field_rows(cls: Any) -> Iterator[tuple[str, str, str]]:
    """The name, form and description of each field of a frame."""
    parts = Components()
    answer = not issubclass(cls, frames.FromPhone)
    schema = frame_schema(cls, parts, answer=answer)
    for known in in_order(cls):
        described = schema["properties"][known.name]
        form = phrase(described)
        if known.name in schema["required"] and not answer:
            form = f"**{form}**"
        if answer and known.omit:
            form += ", or left out"
        yield known.name, form, described["description"]
        if isinstance(known.rule, Entry) and known.name != "messages":
            prefix = known.name + ("[]" if isinstance(known.rule, Entries) else "")
            inner = parts.schemas[known.rule.form.__name__]
            for name, one in inner["properties"].items():
                required = name in inner.get("required", ())
                form = phrase(one)
                yield f"{prefix}.{name}", f"**{form}**" if required else form, one["description"]


def in_order(cls: Any) -> list[Field]:
    """The fields as one writes them: which message it is about goes first."""
    return sorted(fields_of(cls), key=lambda known: not (known.name == "id" and known.required))


def direction(cls: Any) -> str:
    return "phone → gateway" if issubclass(cls, frames.FromPhone) else "gateway → phone"


def first_paragraph(cls: Any) -> str:
    return " ".join(cls.__doc__.partition("\n\n")[0].split())


def example_of(cls: Any) -> dict[str, Any]:
    """An object with the example of each field that has one."""
    example = {"type": cls.type} if hasattr(cls, "type") else {}
    for known in in_order(cls):
        if isinstance(known.rule, Entry):
            inner = example_of(known.rule.form)
            if known.name != "messages":
                example[known.name] = [inner] if isinstance(known.rule, Entries) else inner
        elif known.example is not None:
            example[known.name] = known.example
        elif known.name == "device_id":
            example[known.name] = None
    return example
