"""The forms that people send: received within bounds of memory and time, and read in their turn.

Anyone who has signed in may send some megabytes, of which a million fields can be made. So forms
take room beside those of others as bodies do, and a large one is read in a thread.
"""

from functools import partial
from io import BytesIO
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import attrs
import trio
from quart import request as quart_request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from phonegate.api.app import read_body
from phonegate.api.bodies import TOO_MANY
from phonegate.api.body_budget import BodyBudget
from phonegate.api.services import Services
from phonegate.http.refusals import BodyTimeout
from phonegate.model.refusals import BadInput, Busy

T = TypeVar("T")

MOST_FIELDS: Final = 1_000
"""No form of a page has a tenth of them."""

TOO_MANY_FIELDS: Final = f"The form has more than {MOST_FIELDS} fields."

_URL_ENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"


@attrs.frozen
class SentForm:
    """A form as it was sent. What is no form has no fields."""

    fields: MultiDict[str, str] = attrs.field(factory=MultiDict, repr=False)
    files: MultiDict[str, FileStorage] = attrs.field(factory=MultiDict, repr=False)


class SentForms:
    """Receives and reads forms.

    Args:
        services: What says how much there is room for.
    """

    def __init__(self, services: Services) -> None:
        limits = services.rate_limits
        self._budget = BodyBudget(limits.bounds.bodies_bytes, lambda: limits.note("bodies"))
        self._large_bodies = services.large_bodies

    async def read(self, org: int) -> SentForm:
        """Returns the form of the request that is being answered, which may yet have to come.

        Args:
            org: The org of the person who sends it.

        Raises:
            TooLarge: It is larger than the gateway takes.
            BadInput: It has too many fields.
            Busy: It had to make room for others.
            BodyTimeout: It did not come in time.
            Throttled: Too many large forms of this org wait.
        """
        with self._budget.arriving(trio.current_effective_deadline(), org) as arriving:
            data = await read_body(quart_request.max_content_length or 0, arriving.grew)
            return await self._large_bodies.read(
                partial(parsed, data, quart_request.content_type or ""), len(data), org
            )
        if arriving.given_up:
            raise Busy(TOO_MANY)
        raise BodyTimeout("The form did not arrive in time.")


def parsed(data: bytes, content_type: str) -> SentForm:
    """Returns the form that a body holds. Pure.

    Raises:
        BadInput: It has too many fields.
    """
    media, options = parse_options_header(content_type)
    if media == _URL_ENCODED:
        if data.count(b"&") >= MOST_FIELDS:
            raise BadInput(TOO_MANY_FIELDS)
        return SentForm(MultiDict(parse_qsl(data.decode(errors="replace"), keep_blank_values=True)))
    if media == _MULTIPART:
        boundary = options.get("boundary", "").encode(errors="replace")
        parser = MultiPartParser(max_form_parts=MOST_FIELDS, stream_factory=_in_memory)
        try:
            fields, files = parser.parse(BytesIO(data), boundary, len(data))
        except RequestEntityTooLarge:
            raise BadInput(TOO_MANY_FIELDS) from None
        except (ValueError, KeyError):  # Werkzeug's, for parts without what each must have
            return SentForm()
        return SentForm(_named(fields), _named(files))
    return SentForm()


def _named(parts: MultiDict[Any, T]) -> MultiDict[str, T]:
    """Returns the parts that have a name, as those of a browser's forms have."""
    return MultiDict([(name, one) for name, one in parts.items(multi=True) if name is not None])


def _in_memory(*_: Any, **__: Any) -> BytesIO:
    # A file of the disk would outlive a gateway that is killed. There is room for it, see above.
    return BytesIO()
