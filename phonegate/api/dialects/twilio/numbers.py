"""Twilio's IncomingPhoneNumbers: the numbers of an org, and what is called for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import (
    SUFFIX,
    require_account,
    sid_of,
    signing_state,
    written,
)
from phonegate.api.dialects.twilio.fields import MAX_ADDRESS, TwilioNumberChange, TwilioNumberList
from phonegate.api.dialects.twilio.paging import Place, page
from phonegate.api.endpoint import Answer, Call
from phonegate.api.errors import FieldsRefused
from phonegate.domain.own_numbers import OwnNumber, Target, direct
from phonegate.model.callbacks import Method
from phonegate.model.principal import allows
from phonegate.model.refusals import AddressRefused, BadInput, FieldProblem, NotFound
from phonegate.model.twilio_ids import number_sid

NUMBERED: Final = "page"
"""The token of pages that are found by their number."""


async def numbers(call: Call) -> Answer:
    """Lists numbers, in their order."""
    org = require_account(call)
    asked: TwilioNumberList = call.body
    found = [one for one in await call.services.own_numbers.of_org(org) if _fits(one, asked)]
    begin = asked.Page * asked.PageSize
    shown = [_shown(call, one) for one in found[begin : begin + asked.PageSize]]
    filters = [
        (name, value)
        for name in ("PhoneNumber", "FriendlyName")
        if (value := getattr(asked, name)) is not None
    ]
    place = Place(
        path=f"{resources.account_uri(org)}/IncomingPhoneNumbers{SUFFIX}",
        filters=filters,
        number=asked.Page,
        size=asked.PageSize,
    )
    following = NUMBERED if begin + len(shown) < len(found) else None
    return written(page("incoming_phone_numbers", shown, place, following))


async def number(call: Call) -> Answer:
    """Shows a number."""
    org = require_account(call)
    return written(_shown(call, await _number(call, org)))


async def update(call: Call) -> Answer:
    """Sets what is called with messages that a number receives, or with the states of sent ones.

    Calls are signed by the token of this request.
    """
    org = require_account(call)
    asked: TwilioNumberChange = call.body
    own = await _number(call, org)
    signs = signing_state(call)
    webhooks = call.services.webhooks
    received = _target("SmsUrl", asked.SmsUrl, asked.SmsMethod, signs)
    reported = _target("StatusCallback", asked.StatusCallback, asked.StatusCallbackMethod, signs)
    for field, target in (("SmsUrl", received), ("StatusCallback", reported)):
        # Both before either is set, so that nothing is half done.
        if target is not None and target.url:
            with _named(field):
                webhooks.require_url(target.url)
    if received is not None:
        with _named("SmsUrl"):
            await direct(webhooks, call.caller, own, received=received)
    if reported is not None:
        with _named("StatusCallback"):
            await direct(webhooks, call.caller, own, reported=reported)
    return written(_shown(call, await _number(call, org)))


def _shown(call: Call, own: OwnNumber) -> dict[str, Any]:
    """Returns a number. Where it leads is for those who may manage: such URLs hold secrets."""
    if not allows(call.caller.scopes, "manage"):
        own = attrs.evolve(own, received_to=None, reported_to=None)
    return resources.number(own, call.caller.org)


@contextmanager
def _named(field: str) -> Iterator[None]:
    """Has a refusal name a field as the client does: a webhook calls its URL otherwise."""
    try:
        yield
    except (BadInput, AddressRefused) as error:
        problems = [FieldProblem(field, one.problem) for one in error.problems]
        raise FieldsRefused(error, problems) from None


def _target(
    field: str, urls: Sequence[str] | None, method: Method | None, signs: bytes | None
) -> Target | None:
    """Returns where an address is to lead. None where the request does not say."""
    url = urls[0].strip() if urls else None
    if url is not None and len(url) > MAX_ADDRESS:
        raise refusal((FieldProblem(field, f"has more than {MAX_ADDRESS} characters"),))
    if url is None and method is None:
        return None
    return Target(url=url, method=method, signing_state=signs)


def _fits(own: OwnNumber, asked: TwilioNumberList) -> bool:
    digits = "".join(filter(str.isdigit, asked.PhoneNumber or ""))
    return digits in own.number and asked.FriendlyName in {None, own.name or own.number}


async def _number(call: Call, org: int) -> OwnNumber:
    sid = sid_of(call)
    for one in await call.services.own_numbers.of_org(org):
        if number_sid(org, one.number) == sid:
            return one
    raise NotFound("No number of this org has such an id.")
