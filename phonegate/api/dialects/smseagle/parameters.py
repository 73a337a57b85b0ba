"""The parameters of SMSEagle's requests. Pure."""

from collections.abc import Mapping
from typing import Annotated, Final

import attrs

from phonegate.api.dialect import Texts
from phonegate.api.dialects.local_times import local_ms, time_of_day, within_hours
from phonegate.api.given import given_texts, json_pairs
from phonegate.api.payload import read_object
from phonegate.api.rules import Moment
from phonegate.model.bounds import MAX_RECEIVED, MAX_SIMS
from phonegate.model.refusals import FieldProblem
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import OneOf, Text, Whole, Written

UNSET: Final = frozenset({"", "default", "null", "undefined", "none"})
"""What clients send where their users have set nothing, in lower case."""

FORMS: Final = ("text", "xml", "simple", "extended", "json")
"""How an answer is written. `json` is what some call `extended`."""

VALIDITIES: Final[Mapping[str, int | None]] = {
    "5m": 300,
    "10m": 600,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "12h": 43_200,
    "1d": 86_400,
    "2d": 172_800,
    "5d": 432_000,
    "1w": 604_800,
    "2w": 1_209_600,
    "4w": 2_419_200,
    "max": None,
}
"""How long a message is tried, in seconds. None: without an end."""

DATE: Final = "%Y%m%d%H%M"
"""`date` of APIv1, in the zone of the machine."""


@attrs.frozen
class Hour(Written):
    """A time of day, `HH:MM:SS` or `HH:MM`."""

    def read(self, value: object) -> str:
        """Returns it as given."""
        text = str(value)
        if time_of_day(text) is None:
            raise Wrong("is no time of day: HH:MM:SS")
        return text


@attrs.frozen
class Date(Written):
    """A time: `YYYYmmDDHHMM` in the zone of the machine, or ISO 8601 with an offset."""

    def read(self, value: object) -> int:
        """Returns milliseconds since 1970-01-01 UTC."""
        text = str(value).strip()
        if text.isdecimal():
            found = local_ms(text, DATE) if len(text) == len("YYYYmmDDHHMM") else None
            if found is None:
                raise Wrong("is no time: YYYYmmDDHHMM")
            return found
        return Moment().read(text)


def is_yes(text: str) -> bool:
    """Tells whether a parameter says yes, as its clients write that."""
    return text.strip().lower() in {"1", "true", "yes"}


@attrs.frozen(kw_only=True)
class SmseagleOptions:
    """What all of its APIs take beside recipients and text."""

    date: Annotated[int, Date()] | None = field(
        "When to send it: YYYYmmDDHHMM in the zone of the gateway's machine, or ISO 8601.",
        default=None,
        example="202601312132",
    )
    send_after: Annotated[str, Hour()] | None = field(
        "Not earlier on any day, in the zone of the machine.", default=None, example="08:00:00"
    )
    send_before: Annotated[str, Hour()] | None = field(
        "Not later on any day, in the zone of the machine.", default=None, example="20:00:00"
    )
    modem_no: Annotated[int, Whole(1, MAX_SIMS)] | None = field(
        "The SIM in this slot of a phone. Slot 0 is modem 1.", default=None
    )
    validity: Annotated[str, OneOf(tuple(VALIDITIES))] = field("How long to try.", default="max")
    test: Annotated[str, Text(0, 20)] = field("1: look at it, and send nothing.", default="0")

    def send_at(self, now_ms: int) -> int | None:
        """Returns when a message is to be sent, in ms. None: now."""
        start = now_ms if self.date is None else self.date
        after, before = (
            None if text is None else time_of_day(text)
            for text in (self.send_after, self.send_before)
        )
        at = within_hours(max(start, now_ms), after, before)
        return at if at > now_ms else None

    @property
    def ttl_s(self) -> int | None:
        """How long it is tried."""
        return VALIDITIES[self.validity]


@attrs.frozen(kw_only=True)
class SmseagleSms(SmseagleOptions):
    """What APIv1 and JSON-RPC take."""

    method: Annotated[str, Text(0, 64)] = field("Of JSON-RPC: what to do.", default="")
    to: tuple[str, ...] = field(
        "Numbers, with commas between.", default=(), example=["1234567"], private=True
    )
    contactname: tuple[str, ...] = field(
        "Names of contacts, with commas between.", default=(), private=True
    )
    groupname: tuple[str, ...] = field("Names of groups. There are none.", default=())
    message: Annotated[str, Text(1, MAX_RECEIVED)] = field(
        "The text.", example="mymessage", private=True
    )
    message_type: Annotated[str, Text(0, 20)] = field("sms. There is no mms.", default="sms")
    highpriority: Annotated[str, Text(0, 20)] = field("1: before others.", default="0")
    responsetype: Annotated[str, OneOf(FORMS)] | None = field(
        "How the answer is written: text or xml; of JSON-RPC simple or extended.", default=None
    )

    @property
    def content(self) -> tuple[str, str, int]:
        """The name of the text's parameter, the text, and the message's priority."""
        return "message", self.message, 1 if is_yes(self.highpriority) else 0


@attrs.frozen(kw_only=True)
class SmseagleMessage(SmseagleOptions):
    """What APIv2 takes."""

    to: tuple[str, ...] = field("Numbers.", default=(), example=["+15553334444"], private=True)
    contacts: tuple[str, ...] = field("Ids of contacts. They have none here.", default=())
    groups: tuple[str, ...] = field("Ids of groups. There are none.", default=())
    text: Annotated[str, Text(1, MAX_RECEIVED)] = field(
        "The text.", example="My message", private=True
    )
    priority: Annotated[int, Whole(0, 9)] = field("Higher ones leave first.", default=0)

    @property
    def content(self) -> tuple[str, str, int]:
        """The same as `SmseagleSms.content`."""
        return "text", self.text, self.priority


def read(body: bytes, headers: Mapping[str, str], query: Texts) -> Texts:
    """Reads the parameters of APIv1 and APIv2.

    Zabbix declares a form of parts for a GET, which has none.

    Raises:
        BadInput, UnsupportedMedia: The body can't be read.
    """
    return _set(given_texts(body, headers, query))


def read_rpc(body: bytes, _: Mapping[str, str], query: Texts) -> Texts:
    """Reads a call of JSON-RPC, whatever its Content-Type: its method beside its parameters.

    Raises:
        BadInput: The body is no JSON object.
    """
    found = {name: list(values) for name, values in query.items()}
    if not body.strip():
        return found
    call = read_object(body)
    parameters = call.get("params")
    inner = parameters if isinstance(parameters, dict) else {}
    for name, value in json_pairs({**inner, "method": call.get("method")}):
        found.setdefault(name, []).append(value)
    if "message" not in found and "text" in found:
        found["message"] = found["text"]
    return _set(found)


_TEXTS: Final = frozenset({"message", "text", "to", "contactname", "groupname", "contacts"})
"""Parameters of which any word is meant."""


def _set(found: Texts) -> Texts:
    """Leaves out what its sender has not set."""
    return {
        name: values
        for name, values in found.items()
        if name in _TEXTS or any(value.strip().lower() not in UNSET for value in values)
    }


def names_of(texts: tuple[str, ...]) -> list[str]:
    """Returns the names of a list with commas, each once."""
    found = (name.strip() for text in texts for name in text.split(","))
    return list(dict.fromkeys(name for name in found if name))


def v2_problems(asked: SmseagleMessage) -> tuple[FieldProblem, ...]:
    """Returns what is wrong with the recipients of APIv2."""
    problems = []
    if any(one.strip("[]") for one in asked.contacts):
        problems.append(FieldProblem("contacts", "have no ids here: put their numbers into to"))
    if any(one.strip("[]") for one in asked.groups):
        problems.append(FieldProblem("groups", "are not known here: put numbers into to"))
    return tuple(problems)
