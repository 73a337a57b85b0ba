"""The parameters of Jasmin's requests. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import attrs

from phonegate.api.dialect import Texts
from phonegate.api.dialects import coded_text
from phonegate.api.dialects.coded_text import NotText, Undecoded
from phonegate.api.dialects.local_times import local_ms
from phonegate.api.given import form_pairs, given_texts, json_pairs
from phonegate.api.messages_types import MAX_TTL_S
from phonegate.api.payload import read_object
from phonegate.model.bounds import MAX_MESSAGES, MAX_URL
from phonegate.model.refusals import BadInput
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf, Text, Whole

GSM: Final = "0"
UCS2: Final = "8"

CHARSETS: Final[Mapping[str, str]] = {
    "5": "iso2022_jp",
    "6": "iso8859_5",
    "7": "iso8859_8",
    "10": "iso2022_jp",
    "14": "euc_kr",
}
"""Codings of texts by their charset (SMPP 3.4, 5.2.19)."""

LATIN: Final = ("1", "3")
"""ASCII and Latin-1."""

CODINGS: Final = (GSM, UCS2, *LATIN, *CHARSETS)
"""The codings of texts. The others of Jasmin's are of bytes, pictures and music."""

NO_CONTENT: Final = "content or hex-content not present."
TWO_CONTENTS: Final = "content and hex-content cannot be used both in same request."

MOST_MINUTES: Final = MAX_TTL_S // 60

_IN_SECONDS: Final = re.compile(r"([0-9]{1,9})s")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@attrs.frozen(kw_only=True)
class JasminText:
    """What `/rate` takes. Jasmin's names have dashes where these have underscores."""

    to: Annotated[str, Text(1, 40)] = field("One recipient's number.", example="15553334444")
    content: Annotated[str, Undecoded()] | None = field(
        "The text, as UTF-8, or in the bytes of its coding.",
        default=None,
        example="Hello",
        private=True,
    )
    hex_content: Annotated[str, Undecoded()] | None = field(
        "The bytes of the text in hexadecimal, in place of content.", default=None, private=True
    )
    coding: Annotated[str, OneOf(CODINGS)] = field(
        "The coding of SMPP: 0 GSM 03.38, 3 Latin-1, 8 UCS-2. A text is sent in what fits it.",
        default=GSM,
    )


@attrs.frozen(kw_only=True)
class JasminSms(JasminText):
    """What `/send` takes."""

    from_: Annotated[str, Text(0, 64)] | None = field(
        "A number of the org. A name is ignored.", default=None
    )
    priority: Annotated[int, Whole(0, 3)] = field("Higher ones leave first.", default=0)
    validity_period: Annotated[int, Whole(1, MOST_MINUTES)] | None = field(
        "Minutes to try.", default=None
    )
    sdt: Annotated[str, Text(16, 16)] | None = field(
        "When to send it, as SMPP writes times: YYMMDDhhmmsstnn and +, - or R.", default=None
    )
    dlr: Annotated[str, OneOf(("yes", "no"))] = field("Whether to report back.", default="no")
    dlr_url: Annotated[str, Text(8, MAX_URL)] | None = field(
        "What is called with the reports.", default=None
    )
    dlr_level: Annotated[int, Whole(1, 3)] = field(
        "1: taken by the carrier; 2: what came of it in the end; 3: both.", default=1
    )
    dlr_method: Annotated[str, OneOf(("GET", "POST"))] = field("How it is called.", default="POST")


@attrs.frozen(kw_only=True)
class JasminAsker:
    """What `/balance` takes: whom it speaks for."""


def read_send(body: bytes, headers: Mapping[str, str], query: Texts) -> Texts:
    """Reads the parameters of `/send` by names with underscores.

    JSON holds text, whatever coding it names beside.

    Raises:
        BadInput, UnsupportedMedia: The body can't be read.
    """
    found: dict[str, list[str]] = {}
    for name, values in query.items():
        found.setdefault(_plain(name), []).extend(values)
    start = body.lstrip()[:1]
    if start == b"{":
        for name, value in json_pairs(plain_names(read_object(body))):
            found.setdefault(name, []).append(value)
        if "content" in found:
            found["coding"] = [GSM]
    elif start and not headers.get("content-type", "").strip().lower().startswith("multipart/"):
        for name, value in form_pairs(body, "surrogateescape"):
            found.setdefault(_plain(name), []).append(value)
    else:
        for name, values in given_texts(body, headers, {}).items():
            found.setdefault(_plain(name), []).extend(values)
    if "dlr_url" in found or "dlr_level" in found:
        found["dlr"] = ["yes"]
    return folded(found)


def folded(found: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Returns parameters with the method of reports in capitals: Jasmin takes small letters too."""
    return {
        name: [value.upper() for value in values] if name == "dlr_method" else values
        for name, values in found.items()
    }


def plain_names(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns parameters by names with underscores: Jasmin's REST API has both."""
    return {_plain(name): value for name, value in found.items()}


def _plain(name: str) -> str:
    return name.replace("-", "_")


def text_of(coding: str, content: str | None, hex_content: str | None) -> str:
    """Returns the text of a message.

    Raises:
        NotText: It can't be read in its coding.
        BadInput: It is not there, or twice.
    """
    if content is None and hex_content is None:
        raise BadInput(NO_CONTENT)
    if content is not None and hex_content is not None:
        raise BadInput(TWO_CONTENTS)
    if hex_content is None:
        if coding == GSM:
            return coded_text.utf8(content or "")
        return _coded(coding, coded_text.raw(content or ""))
    if not _HEX.fullmatch(hex_content):
        raise NotText("is not hexadecimal")
    data = bytes.fromhex(hex_content)
    return coded_text.gsm(data) if coding == GSM else _coded(coding, data)


def _coded(coding: str, data: bytes) -> str:
    if coding == UCS2:
        return coded_text.ucs2(data)
    if coding in LATIN:
        return coded_text.latin1(data)
    try:
        return coded_text.utf8_or(data, CHARSETS[coding])
    except NotText:
        raise NotText(f"can't be read in coding {coding}") from None


# --- Batches ----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Batch:
    """What `/secure/sendbatch` takes."""

    messages: tuple[tuple[tuple[str, ...], Mapping[str, Sequence[str]]], ...] = attrs.field(
        repr=False
    )
    """The recipients of each message, and its parameters by names with underscores."""
    send_at: int | None
    """In ms. None: now."""
    delay_s: int
    """How long that is from now. 0 for now."""


def read_batch(body: bytes, now_ms: int) -> Batch:
    """Reads a batch. What stands in `globals` holds for each message that has not its own.

    Raises:
        BadInput: It can't be read, or a message has no recipient or no text.
    """
    found = read_object(body)
    config, common = found.get("batch_config") or {}, found.get("globals") or {}
    messages = found.get("messages")
    if not isinstance(messages, list) or not messages or len(messages) > MAX_MESSAGES:
        raise BadInput(f"messages must be a list of 1 to {MAX_MESSAGES} messages.")
    if not isinstance(config, dict) or not isinstance(common, dict):
        raise BadInput("batch_config and globals must be objects.")
    read = []
    for at, one in enumerate(messages):
        if not isinstance(one, dict):
            raise BadInput(f"messages[{at}] must be an object.")
        given: dict[str, list[str]] = {}
        for name, value in json_pairs({**plain_names(common), **plain_names(one)}):
            given.setdefault(name, []).append(value)
        if "content" in given:
            given["coding"] = [GSM]
        to = tuple(given.pop("to", ()))
        if not to or not {"content", "hex_content"} & given.keys():
            raise BadInput(f"messages[{at}] must have to, and content or hex-content.")
        read.append((to, given))
    at_ms = _schedule(config.get("schedule_at"), now_ms)
    delay_s = 0 if at_ms is None else max(0, (at_ms - now_ms) // 1000)
    return Batch(messages=tuple(read), send_at=at_ms, delay_s=delay_s)


def _schedule(value: object, now_ms: int) -> int | None:
    """Reads when a batch is to be sent: a local time, or a number of seconds (`86400s`)."""
    if value is None:
        return None
    text = str(value)
    if (seconds := _IN_SECONDS.fullmatch(text)) is not None:
        return now_ms + round(timedelta(seconds=int(seconds[1])) / timedelta(milliseconds=1))
    at = local_ms(text, "%Y-%m-%d %H:%M:%S")
    if at is None:
        raise BadInput(
            "batch_config.schedule_at must be YYYY-MM-DD HH:MM:SS, or a number of seconds: 60s."
        )
    if at < now_ms:
        raise BadInput("batch_config.schedule_at is in the past.")
    return at
