"""The answers of textbee's API: its envelope `data`, and its errors. Pure.

Source: github.com/vernu/textbee, api/src/gateway.
"""

import json
from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.api.convert import CONVERTER
from phonegate.model.messages import MessageView
from phonegate.model.times import iso
from phonegate.typed_json.fields import field

ANY_DEVICE: Final = "any"
"""The one device that the gateway shows: it stands for all phones of the org."""

QUEUED: Final = "SMS added to queue for processing"
"""textbee's own words, which some programs show to people."""


@attrs.frozen(kw_only=True)
class TextbeeBatch:
    """What became of an SMS to one or more recipients."""

    success: bool = field("Always true.", default=True, example=True)
    message: str = field("What happened, for people.", default=QUEUED, example=QUEUED)
    smsBatchId: str = field("The ticket of the first SMS.", example="7")  # noqa: N815 - textbee's name
    recipientCount: int = field("How many were accepted.", example=1)  # noqa: N815 - textbee's name


@attrs.frozen(kw_only=True)
class TextbeeBatchAnswer:
    """The answer to a send."""

    data: TextbeeBatch = field("What became of it.")


@attrs.frozen(kw_only=True)
class TextbeeDevice:
    """A device as textbee lists it."""

    _id: str = field("What to name in the path.", default=ANY_DEVICE, example=ANY_DEVICE)
    name: str = field("For people.", default="phonegate", example="phonegate")
    enabled: bool = field("Always true.", default=True, example=True)
    status: str = field("online while a phone is connected, else offline.", example="online")


@attrs.frozen(kw_only=True)
class TextbeeDevicesAnswer:
    """All devices, which is one."""

    data: tuple[TextbeeDevice, ...] = field("The devices.")


@attrs.frozen(kw_only=True)
class TextbeeReceived:
    """A received SMS as textbee shows it."""

    _id: str = field("Its ticket.", example="5")
    sender: str = field("Who sent it.", example="+15553334444")
    message: str = field("Its text, which someone else wrote.", example="hello", private=True)
    receivedAt: str = field(  # noqa: N815 - textbee's name
        "When it came, in UTC.", example="2026-11-21T08:00:00.000Z"
    )


@attrs.frozen(kw_only=True)
class TextbeeReceivedAnswer:
    """The newest received SMS."""

    data: tuple[TextbeeReceived, ...] = field("The newest first.")


def devices(*, online: bool) -> TextbeeDevicesAnswer:
    """Returns the list of devices."""
    return TextbeeDevicesAnswer(data=(TextbeeDevice(status="online" if online else "offline"),))


def received(views: Sequence[MessageView]) -> bytes:
    """Returns received messages, the newest first."""
    shown = tuple(
        TextbeeReceived(
            id=str(view.id),
            sender=view.address,
            message=view.body,
            receivedAt=iso(view.created_at),
        )
        for view in reversed(views)
    )
    return CONVERTER.encode(TextbeeReceivedAnswer(data=shown))


def accepted(ids: Sequence[int]) -> bytes:
    """Returns the answer to an SMS that was accepted for these tickets."""
    batch = TextbeeBatch(smsBatchId=str(ids[0]), recipientCount=len(ids))
    return CONVERTER.encode(TextbeeBatchAnswer(data=batch))


def refused(detail: str) -> bytes:
    """Returns an error."""
    return json.dumps({"success": False, "error": detail}).encode()
