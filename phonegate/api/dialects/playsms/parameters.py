"""The parameters of playSMS's webservices. Pure."""

from typing import Annotated, Final

import attrs

from phonegate.api.dialects.local_times import local_ms
from phonegate.model.bounds import MAX_ID, MAX_PAGE, MAX_RECEIVED
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Text, Whole, Written

SCHEDULE: Final = "%Y-%m-%d %H:%M:%S"
"""`schedule`, in the zone of the machine."""


@attrs.frozen
class Schedule(Written):
    """A time, `YYYY-MM-DD hh:mm:ss` in the zone of the machine."""

    def read(self, value: object) -> int:
        """Returns milliseconds since 1970-01-01 UTC."""
        found = local_ms(str(value), SCHEDULE)
        if found is None:
            raise Wrong("is no time: YYYY-MM-DD hh:mm:ss")
        return found


@attrs.frozen(kw_only=True)
class PlaysmsCall:
    """What the webservices take. Those of playSMS's that are not here are ignored."""

    app: Annotated[str, Text(0, 40)] = field("ws", default="ws", example="ws")
    op: Annotated[str, Text(0, 40)] = field(
        "pv sends; ds lists what was sent; in and ix list what was received; cr and query tell of "
        "the account.",
        default="",
        example="pv",
    )
    format: Annotated[str, Text(0, 20)] = field("json or xml.", default="json")
    to: tuple[str, ...] = field("Numbers, with commas between.", default=(), private=True)
    msg: Annotated[str, Text(0, MAX_RECEIVED)] = field("The text.", default="", private=True)
    footer: Annotated[str, Text(0, MAX_RECEIVED)] = field(
        "Stands behind the text.", default="", private=True
    )
    nofooter: Annotated[str, Text(0, 20)] = field("1: no footer.", default="")
    from_: Annotated[str, Text(0, 64)] | None = field(
        "A number of the org. A name is ignored.", default=None
    )
    schedule: Annotated[int, Schedule()] | None = field(
        "When to send it: YYYY-MM-DD hh:mm:ss in the zone of the gateway's machine.", default=None
    )
    smslog_id: Annotated[int, Whole(0, MAX_ID)] | None = field("Of ds: one message.", default=None)
    queue: Annotated[str, Text(0, 32)] = field("Of ds: what pv called queue.", default="")
    src: Annotated[str, Text(0, 64)] = field("Of in: the sender.", default="", private=True)
    dst: Annotated[str, Text(0, 64)] = field("Of ds: the recipient.", default="", private=True)
    last: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "Only messages behind this one.", default=None
    )
    c: Annotated[int, Whole(0, MAX_PAGE)] | None = field("How many to list.", default=None)
