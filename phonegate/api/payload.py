"""The body of a request: from bytes and a Content-Type to a JSON object, or a clear refusal.

Strict by RFC 8259 and I-JSON (RFC 7493): UTF-8, no field twice in an object, no NaN. What is
reported as having happened is read less strictly, but for the body's own fields. Two kindnesses: a
UTF-8 byte order mark is skipped, and `//` comments outside of strings are, since the public page
prints one in its example of a send.
"""

import json
import re
from typing import Any, NoReturn

from phonegate.api.field_names import shown
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.bounds import MAX_VALUES
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.values import has_more_values, integer, report_decoder

MAX_COMMENTED_BYTES = 65_536
"""Longest body in which comments are looked for: people write them, and programs write what is
longer."""

MAX_MEDIA = 256
"""Characters of a Content-Type, several times what any client sends."""

_EXACT = 2**53
"""Up to here every whole number has a double of its own (RFC 8259, 6)."""
_BOM = b"\xef\xbb\xbf"
# An unclosed string runs to the end of the text, so that the search is linear in its length.
_COMMENT = re.compile(r'"(?:[^"\\]++|\\.)*+"?|//[^\r\n]*+', re.DOTALL)
_CHARSET = re.compile(r';\s*+charset\*?+\s*+=\s*+"?+([^\s";]*+)', re.IGNORECASE)
_PLAIN_JSON = frozenset({"application/json", "application/json; charset=utf-8"})
"""How nearly all clients write it: known without being parsed."""

_UNDECLARED = frozenset({"application/x-www-form-urlencoded", "text/plain"})
"""What clients declare on their own."""

_CHARSETS = ("", "utf-8", "utf8", "us-ascii")


class NotJson(BadInput):
    """The body is meant to be JSON, and is none."""


def check_media(
    content_type: str | None,
    content_encoding: str | None,
    body: bytes,
    advice: str = "Send JSON, with Content-Type: application/json.",
) -> None:
    """Refuses what is not JSON by its own declaration.

    Where its user declares nothing, `curl -d` declares a form and a browser's `fetch` plain text,
    so that a JSON object passes as either, and so does what only fails at being one. A page of
    another site may send both without asking leave: such requests are refused before their body
    is looked at (see `origins`).

    Raises:
        UnsupportedMedia: another media type, charset or a compressed body.
    """
    media = media_type(content_type, content_encoding)
    if media is None:
        return
    main, _, sub = media.partition("/")
    if media in _UNDECLARED and (not (begun := body.lstrip()) or begun.startswith((b"{", b"["))):
        return
    if not (main == "application" and sub == "json") and not (main and sub.endswith("+json")):
        raise UnsupportedMedia(advice)


def media_type(content_type: str | None, content_encoding: str | None) -> str | None:
    """Returns the media type of a body, in lower case. None for JSON as nearly all declare it.

    Raises:
        UnsupportedMedia: a charset that is not UTF-8, or a compressed body.
    """
    if content_encoding is not None and content_encoding.strip().lower() not in {"", "identity"}:
        raise UnsupportedMedia("Send the body uncompressed, without Content-Encoding.")
    if content_type is None or content_type in _PLAIN_JSON or not content_type.strip():
        return None
    if len(content_type) > MAX_MEDIA:
        raise UnsupportedMedia(f"The Content-Type has more than {MAX_MEDIA} characters.")
    media, separator, parameters = content_type.partition(";")
    charset = _CHARSET.search(separator + parameters)
    if charset is not None and charset[1].lower() not in _CHARSETS:
        raise UnsupportedMedia("Send the body as UTF-8.")
    return media.strip().lower()


def read_object(
    body: bytes, *, reported: bool = False, raw_controls: bool = False
) -> dict[str, Any]:
    """Returns the JSON object that a body holds.

    Of what is `reported` as having happened, bytes that are not UTF-8 cost no more than
    themselves, `report_decoder` says what else is taken, and where a field is given twice within
    the body, the last counts. With `raw_controls`, strings may hold line ends and tabs as they
    are, which programs write that fill a template without escaping.

    Raises:
        BadInput: as `read_value`, or not an object.
    """
    value = read_value(body, reported=reported, raw_controls=raw_controls)
    if type(value) is not dict:
        raise BadInput("The body must be a JSON object.")
    return value


def read_value(body: bytes, *, reported: bool = False, raw_controls: bool = False) -> Any:
    """Returns the JSON that a body holds, see `read_object`.

    Raises:
        NotJson: it is no JSON.
        BadInput: empty, not UTF-8, too deep, too many values, or a field twice in one
            object, of a report in the outermost.
    """
    try:
        text = body.removeprefix(_BOM).decode("utf-8", "replace" if reported else "strict")
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8 at byte {error.start}.") from None
    if not text.strip():
        raise BadInput("The body is empty. Send a JSON object.")
    if has_more_values(text, MAX_VALUES):
        raise BadInput(f"The body has more than {MAX_VALUES} values, the most that are read.")
    try:
        commented = len(body) <= MAX_COMMENTED_BYTES
        if reported:
            return _read_report(text, comments=commented)
        decoder = _RAW_DECODER if raw_controls else _DECODER
        return _decode(text, decoder, comments=commented)
    except RecursionError:
        raise BadInput("The body is nested too deeply.") from None


def _read_report(text: str, *, comments: bool) -> Any:
    try:
        # Nearly every report is right by the strict rules too, which read it to the same value.
        return _DECODER.decode(text)
    except (json.JSONDecodeError, BadInput):
        pass
    outermost: list[tuple[str, Any]] = []

    def keep_last(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal outermost
        # An object is complete after all that are in it.
        outermost = pairs
        return dict(pairs)

    decoder = report_decoder(object_pairs_hook=keep_last, parse_float=_number)
    value = _decode(text, decoder, comments=comments)
    # Which org it is for must not depend on how a program reads JSON.
    return _object(outermost) if type(value) is dict else value


def _decode(text: str, decoder: json.JSONDecoder, *, comments: bool) -> Any:
    # The decoder's error holds the whole text. Only its place and its words leave this function.
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        problem = _where(error)
    if comments and "//" in text:
        try:
            return decoder.decode(_COMMENT.sub(_keep_strings, text))
        except json.JSONDecodeError as error:
            problem = _where(error)
    raise NotJson(f"The body is not valid JSON at {problem}.")


def _where(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}: {error.msg.lower()}"


def _keep_strings(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                problem = FieldProblem(shown(name), "is given more than once in one object")
                raise BadInput(f"{problem.field} {problem.problem}.", [problem])
            seen.add(name)
    return result


def _number(text: str) -> int | float:
    """Returns a number as an integer where it has no fraction, however it is written.

    JSON has one kind of number, and by JSON Schema 1.0 is an integer (2020-12 Core, 4.2.1).
    """
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"The body is not valid JSON: {name} is no JSON number.")


def _decoder(*, strict: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=integer,
        parse_float=_number,
        parse_constant=_no_constant,
        strict=strict,
    )


_DECODER = _decoder(strict=True)
_RAW_DECODER = _decoder(strict=False)
"""Takes control characters within strings as they are."""
