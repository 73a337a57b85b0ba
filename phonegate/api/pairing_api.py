"""Pairing a phone with an org, as the console asks for it on behalf of its people.

These endpoints are called from within alone: to other programs a phone's key is enough.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.address import own_address
from phonegate.api.endpoint import Answer, Call, Endpoint, Handler
from phonegate.api.messages_types import MAX_KEY_ID
from phonegate.api.pairing_state import PairingStateJson, TestOrder, state_json
from phonegate.domain.pairing import PairingLink
from phonegate.domain.pairing_offers import MAX_TYPED_URL, PairingOffers, checked
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

MAX_NAME: Final = 100
"""Characters of a phone's name, as those of its key."""


@attrs.frozen(kw_only=True)
class PhoneToPair:
    """The phone to pair."""

    closed: ClassVar[bool] = True

    name: Annotated[str, Text(1, MAX_NAME, blank=False, line=True)] | None = field(
        "What the phone is called. Without, it is called what it says itself.",
        default=None,
        example="kitchen",
    )


@attrs.frozen(kw_only=True)
class OfferQuery:
    """What to show of it."""

    url: Annotated[str, Text(0, MAX_TYPED_URL)] | None = field(
        "The address of the gateway to give to the phone; without, the best that is known.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class OfferJson:
    """A phone to be paired, for the one who made its link."""

    ok: bool = field("Always true.", default=True)
    key_id: str = field("Names the phone's key in /keys/{org}/{id}.", example="k3v9")
    key: str = field("The phone's API key.", private=True)
    name: str = field("What its key is called.")
    url: str | None = field("The gateway's address for the phone; null where none is known.")
    other_urls: tuple[str, ...] = field("Others, if it has several networks.")
    link: str | None = field("The one-time link to open on the phone.", private=True)
    leads_nowhere: bool = field("Whether no phone reaches that address.")
    of_container: bool = field(
        "Whether it was found in a container, whose own network other machines don't reach."
    )
    certificate_page: str | None = field(
        "Where a phone gets the gateway's own authority, if it has one to trust first."
    )
    phone: int | None = field("The id of the phone, once it has come.")
    state: PairingStateJson = field("How far the pairing is.")


@attrs.frozen
class PairingEndpoints:
    """The endpoints, for the console.

    Args:
        offers: Makes offers.
        public_url: The address of the gateway, where its owner has set one.
    """

    _offers: PairingOffers
    _public_url: str

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Returns them."""
        one = "/pairings/{org}/{id}"
        return (
            _endpoint("pair_phone", "POST", "/pairings/{org}", self.pair, body=PhoneToPair),
            _endpoint("get_pairing", "GET", one, self.show, query=OfferQuery),
            _endpoint("test_pairing", "POST", f"{one}/test", self.test, body=TestOrder),
        )

    async def pair(self, call: Call) -> Answer:
        """Makes an API key for a phone, and a one-time link to open on it."""
        caller = call.caller
        asked: PhoneToPair = call.body
        made = await self._offers.pairing.invite(caller.org_name, asked.name, made_by=caller.key_id)
        link = self._offers.pairing.made(caller.org, made.key.id, caller.key_id)
        return await self._answer(call, link, await self._urls(call))

    async def show(self, call: Call) -> Answer:
        """Shows it again to the one who made it, with how far it is."""
        query: OfferQuery = call.query
        found = await self._urls(call)
        urls = (checked(query.url), *found) if query.url else found
        return await self._answer(call, self._link(call), tuple(dict.fromkeys(urls)))

    async def test(self, call: Call) -> Answer:
        """Sends a test SMS from the phone to a number, which should be its own."""
        link, order = self._link(call), call.body
        await self._offers.pairing.send_test(link, order.number)
        return await self._answer(call, link, await self._urls(call))

    def _link(self, call: Call) -> PairingLink:
        caller = call.caller
        return self._offers.pairing.made(caller.org, call.path["id"], caller.key_id)

    async def _urls(self, call: Call) -> Sequence[str]:
        return await self._offers.urls(self._seen(call))

    def _seen(self, call: Call) -> str:
        """Returns the address at which the person sees the gateway."""
        request = call.request
        return own_address(
            self._public_url,
            "https" if request.secure else "http",
            request.headers.get("host", ""),
            request.prefix,
        )

    async def _answer(self, call: Call, link: PairingLink, urls: Sequence[str]) -> Answer:
        state = await self._offers.pairing.state(link)
        offer = await self._offers.offer(link, urls) if urls else None
        url = None if offer is None else offer.url
        is_found = url is not None and url != self._seen(call)
        content = OfferJson(
            key_id=link.key_id,
            key=link.key,
            name=link.name,
            url=url,
            other_urls=() if offer is None else offer.other_urls,
            link=None if offer is None else offer.address,
            leads_nowhere=offer is not None and offer.leads_nowhere,
            of_container=is_found and await self._offers.is_of_container(url or ""),
            certificate_page=None if offer is None else offer.certificate_page,
            phone=None if state.phone is None else state.phone.id,
            state=state_json(link, state, call.services.now_ms()),
        )
        return Answer(content=content)


def _endpoint(
    name: str,
    method: str,
    path: str,
    handler: Handler,
    *,
    body: type | None = None,
    query: type | None = None,
) -> Endpoint:
    return Endpoint(
        name=name,
        method=method,
        paths=(path,),
        scope="manage",
        group="pairing",
        summary=(handler.__doc__ or "").partition("\n")[0],
        body=body,
        query=query,
        answer=OfferJson,
        id=Text(1, MAX_KEY_ID),
        handler=handler,
    )
