"""Reads a form of parts (RFC 7578), by Werkzeug's parser."""

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from phonegate.model.refusals import BadInput


class TooManyParts(Exception):
    """The form has more parts than it may."""


def read_parts(body: bytes, content_type: str, most: int) -> list[tuple[str, str]]:
    """Returns the names and texts of all parts, in their order.

    Raises:
        BadInput: It is no such form.
        TooManyParts: It has more than `most`.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise BadInput("The Content-Type of the form names no boundary.")
    decoder = MultipartDecoder(boundary.encode(), len(body) or 1, max_parts=most)
    pairs: list[tuple[str, str]] = []
    name: str | None = None
    data = bytearray()
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                name, data = event.name, bytearray()
            elif isinstance(event, Data):
                data += event.data
                # RFC 7578, 4.2 has each part named, and werkzeug takes those that are not.
                if not event.more_data and name is not None:
                    pairs.append((name, data.decode("utf-8", "replace")))
    except RequestEntityTooLarge:
        raise TooManyParts from None
    except ValueError:
        raise BadInput("The form is cut short or has no parts: see RFC 7578.") from None
    return pairs
