"""What is declared of a frame is all that its reader, its writer and its documents know of it."""

from typing import Annotated, ClassVar

import attrs
import pytest

from phonegate.api.openapi.phone_link import frame_schema
from phonegate.api.openapi.schema import Components
from phonegate.domain import reported_values as reported
from phonegate.model.bounds import MAX_VALUES
from phonegate.phones import frames
from phonegate.phones.link import frame_reader
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

from .link_tables import DOCUMENT, example_of, field_rows


@attrs.frozen(kw_only=True)
class Torch(frames.FromPhone):
    """The phone's light changed."""

    type: ClassVar = "torch"

    id: Annotated[int, reported.MessageId()] = field("Who asked for it.", example=5)
    level: Annotated[int | None, reported.Whole(0, 9)] = field(
        "How bright it is.", default=None, example=3
    )


@attrs.frozen(kw_only=True)
class Light:
    """Change the phone's light."""

    type: ClassVar = "light"

    id: int = field("Who asks for it.", example=5)
    colour: Annotated[str, Text(1, 20)] | None = field("In words.", default=None, omit=True)


def test_a_new_field_of_a_phone_is_read_described_and_printed() -> None:
    read = frame_reader.reader_of(Torch)
    assert read({"type": "torch", "id": 5, "level": "3", "new": 1}) == Torch(id=5, level=3)
    odd = read({"type": "torch", "id": 5, "level": 10})
    assert (odd, odd.cleaned) == (Torch(id=5), ("whole",))
    with pytest.raises(frames.FrameFault) as caught:
        read({"type": "torch", "level": 3})
    assert (caught.value.code, caught.value.field) == ("bad_field", "id")
    schema = frame_schema(Torch, Components())
    assert schema["properties"]["type"]["const"] == "torch"
    assert schema["properties"]["level"]["anyOf"] == [
        {"type": "integer", "minimum": 0, "maximum": 9},
        {},
    ]
    assert schema["required"] == ["type", "id"]
    assert example_of(Torch) == {"type": "torch", "id": 5, "level": 3}
    assert list(field_rows(Torch)) == [
        ("id", "**integer**", "Who asked for it."),
        ("level", "integer, 0 to 9", "How bright it is."),
    ]


def test_a_new_field_of_the_gateway_is_written_described_and_printed() -> None:
    write = frames.writer_of(Light)
    assert write(Light(id=5)) == '{"type":"light","id":5}'
    assert write(Light(id=5, colour="ros\xe9")) == ('{"type":"light","id":5,"colour":"ros\\u00e9"}')
    schema = frame_schema(Light, Components(), answer=True)
    assert schema["required"] == ["type", "id"]
    assert schema["properties"]["colour"]["maxLength"] == 20
    assert ("colour", "text, up to 20 characters, or left out", "In words.") in field_rows(Light)


def test_a_field_without_a_rule_of_a_report_is_noticed_at_once() -> None:
    @attrs.frozen(kw_only=True)
    class Loose(frames.FromPhone):
        type: ClassVar = "loose"

        level: int = field("How loose.")

    with pytest.raises(TypeError, match=r"Loose\.level has no rule"):
        frame_reader.reader_of(Loose)


def test_the_document_has_the_limit_of_values() -> None:
    assert f"{MAX_VALUES:,} values" in DOCUMENT.read_text()
