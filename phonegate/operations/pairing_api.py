"""What the owner's command asks for to pair a phone, answered over the control socket."""

from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.domain.pairing_offers import MAX_TYPED_URL, PairingOffers
from phonegate.model.times import iso
from phonegate.operations.owner_endpoint import owner_endpoint
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

MAX_NAME: Final = 100
"""Characters of a name, as those of its key."""


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
    url: Annotated[str, Text(1, MAX_TYPED_URL)] | None = field(
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


def pairing_endpoint(offers: PairingOffers) -> Endpoint:
    """Returns the endpoint by which the owner pairs a phone with a gateway that serves."""

    async def pair(call: Call) -> Answer:
        """Makes an API key for a phone, and a one-time link to open on it."""
        asked: NewPairing = call.body
        offer = await offers.make(asked.org, asked.name, asked.url)
        link = offer.link
        content = PairingAnswer(
            org=asked.org,
            name=link.name,
            key_id=link.key_id,
            key=link.key,
            url=offer.url,
            other_urls=offer.other_urls,
            link=offer.address,
            certificate_page=offer.certificate_page,
            expires_at=iso(link.expires_at),
        )
        return Answer(status=201, content=content)

    return owner_endpoint("POST", "/pairings", pair, PairingAnswer, body=NewPairing, status=201)
