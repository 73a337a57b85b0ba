"""What the owner's command asks for to pair a phone, answered over the control socket."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final

import attrs
import trio

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.domain.pairing import Pairing
from phonegate.model.refusals import BadInput, Conflict, FieldProblem
from phonegate.model.times import iso
from phonegate.operations.owner_api import owner_endpoint
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

MAX_NAME: Final = 100
"""Characters of a name, as those of its key."""

MAX_URL: Final = 200
"""Characters of an address that a person types into a phone."""

NOT_REACHED: Final = (
    "No address is known at which another device reaches this gateway: it listens to this machine "
    "alone, or on IPv6 alone, or there is no network now. Set [http] bind, as to 0.0.0.0:8080, or "
    "[http] public_url where a proxy stands before it, and restart it. Or name one by --url."
)

_URL: Final = re.compile(r"https?://[^\s/?#\\@]+(/[^\s?#\\]*)?", re.IGNORECASE)

FindUrls = Callable[[], Sequence[str]]
"""Finds the beginnings of the gateway's URLs for other devices, the best first. It may take a
moment."""


@attrs.frozen(kw_only=True)
class NewPairing:
    """The phone to pair."""

    closed: ClassVar[bool] = True

    org: Annotated[str, Text(0, 400)] = field("The OrgId.", example="myorg")
    name: Annotated[str, Text(1, MAX_NAME, blank=False, line=True)] | None = field(
        "What the phone is called. Without, it is called what it says itself.",
        default=None,
        example="kitchen",
    )
    url: Annotated[str, Text(1, MAX_URL)] | None = field(
        "The address of the gateway to give to the phone.",
        default=None,
        example="https://sms.example.org",
    )


@attrs.frozen(kw_only=True)
class PairingAnswer:
    """A phone to be paired, with its key in the only answer that ever shows it."""

    ok: bool = field("Always true.", default=True)
    org: str = field("The OrgId.", example="myorg")
    name: str = field(
        "What its key is called, and the phone too where a name was asked for.", example="kitchen"
    )
    key_id: str = field("Names the key in /keys/{org}/{id}.", example="k3v9")
    key: str = field("The phone's API key.", example="pgk_…", private=True)
    url: str = field("The gateway's address for the phone.", example="http://192.168.1.5:8080")
    other_urls: tuple[str, ...] = field("Others, if it has several networks.", example=[])
    link: str = field("The one-time link to open on the phone.", private=True)
    certificate_page: str | None = field(
        "Where a phone gets the gateway's own authority, if it has one to trust first."
    )
    expires_at: str = field("When the link ends (ISO 8601, UTC).")


def pairing_endpoint(
    pairing: Pairing, find_urls: FindUrls, find_authority: Callable[[], Path]
) -> Endpoint:
    """Returns the endpoint by which the owner pairs a phone with a gateway that serves.

    Args:
        pairing: The links.
        find_urls: Finds where other devices reach the gateway.
        find_authority: Returns the file of the certificate of the gateway's own authority, which
            may not be there.
    """

    async def pair(call: Call) -> Answer:
        """Makes an API key for a phone, and a one-time link to open on it."""
        asked: NewPairing = call.body
        if asked.url is not None and not _URL.fullmatch(asked.url):
            problem = "must be an address such as https://sms.example.org"
            raise BadInput(f"url {problem}.", [FieldProblem("url", problem)])
        urls = [_plain(asked.url)] if asked.url else await trio.to_thread.run_sync(find_urls)
        if not urls:
            raise Conflict(NOT_REACHED)
        is_own = urls[0].startswith("https:") and await trio.Path(find_authority()).is_file()
        made = await pairing.invite(asked.org, asked.name, urls[0] if asked.url else "")
        content = PairingAnswer(
            org=asked.org,
            name=made.key.name,
            key_id=made.key.id,
            key=made.text,
            url=urls[0],
            other_urls=tuple(urls[1:]),
            link=f"{urls[0]}/pair/{made.token}",
            certificate_page=f"{urls[0]}/certificate" if is_own else None,
            expires_at=iso(made.expires_at),
        )
        return Answer(status=201, content=content)

    return owner_endpoint("POST", "/pairings", pair, PairingAnswer, body=NewPairing, status=201)


def _plain(url: str) -> str:
    """Returns an address with its scheme in the letters that all apps know it by."""
    scheme, separator, rest = url.rstrip("/").partition("://")
    return f"{scheme.lower()}{separator}{rest}"
