"""Status callbacks: a URL that comes with a message, and is called with what becomes of it."""

from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import attrs

CallbackShape = Literal["twilio", "jasmin", "kannel"]
"""Whose form a status callback has."""

Method = Literal["GET", "POST"]

TWILIO_ALL: Final = 1
"""Of Twilio's status callbacks there is no choice: all are sent."""

JASMIN_SENT: Final = 1
"""Jasmin's `dlr-level` 1: whether the carrier took the message."""
JASMIN_FINAL: Final = 2
"""Its level 2: what became of the message in the end. Level 3 is both, as bits are."""

KANNEL_DELIVERED: Final = 1
"""Kannel's `dlr-mask`, a sum of such bits: the recipient's phone has the message."""
KANNEL_UNDELIVERED: Final = 2
KANNEL_QUEUED: Final = 4
KANNEL_SENT: Final = 8
"""The carrier took the message."""
KANNEL_REJECTED: Final = 16
"""The carrier, or the phone, did not take it."""

MOST: Final[dict[CallbackShape, int]] = {"twilio": TWILIO_ALL, "jasmin": 3, "kannel": 31}
"""All bits of each shape."""


@attrs.frozen(kw_only=True)
class Callback:
    """Where and how the sender of a message wants to hear what becomes of it.

    Neither its URL nor what signs it is in any `repr`.
    """

    shape: CallbackShape
    url: str = attrs.field(repr=False)
    """Of shape `kannel` with escapes in it, such as `%d`. Of shape `twilio` without what follows a
    `#`, where Twilio's clients say how to call (`#rc=2`)."""
    mask: int = attrs.field()
    """Which reports are wanted: bits of the shape's own, see above. Twilio has but one."""
    method: Method = "POST"
    sign: bytes | None = attrs.field(default=None, repr=False)
    """Signs what is sent, of shape `twilio`: a state of `http/hmac_state.py`. None: unsigned."""
    known_as: int | None = None
    """The message that its sender knows, where this is a copy of it that was sent again."""
    field: str = attrs.field(default="callback", eq=False, repr=False)
    """What the request calls the URL, for a refusal to name. It is not kept."""

    @mask.default
    def _all(self) -> int:
        return MOST[self.shape]

    def __attrs_post_init__(self) -> None:
        if self.shape == "twilio":
            object.__setattr__(self, "url", self.url.partition("#")[0])

    @property
    def origin(self) -> str:
        """The beginning of its URL, up to the host and port: one receiver, as far as is known."""
        parts = urlsplit(self.url)
        return f"{parts.scheme.lower()}://{parts.netloc.lower()}/"

    def of_copy(self, message: int) -> Self:
        """Returns the callback of a copy of this message, which its sender knows by the first."""
        return self if self.known_as is not None else attrs.evolve(self, known_as=message)

    def kept(self) -> dict[str, Any]:
        """Returns it as JSON data."""
        found = {name: getattr(self, name) for name in _PLAIN}
        return found if self.sign is None else {**found, "sign": self.sign.hex()}

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        """Returns what `kept` has made JSON data of."""
        plain = {name: kept[name] for name in _PLAIN}
        sign = kept.get("sign")
        return cls(**plain, sign=None if sign is None else bytes.fromhex(sign))


_PLAIN: Final = ("shape", "url", "mask", "method", "known_as")
