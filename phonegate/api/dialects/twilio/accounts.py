"""Twilio's accounts, which are orgs: each caller sees its own."""

from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import SUFFIX, require_account, written
from phonegate.api.dialects.twilio.paging import Place, page
from phonegate.api.endpoint import Answer, Call
from phonegate.model.refusals import NotFound


async def accounts(call: Call) -> Answer:
    """Lists the one account of the caller."""
    shown = [await _account(call)]
    return written(page("accounts", shown, Place(path=f"{resources.BASE}{SUFFIX}"), None))


async def account(call: Call) -> Answer:
    """Shows the caller's account, by which programs try a credential."""
    require_account(call)
    return written(await _account(call))


async def balance(call: Call) -> Answer:
    """Shows a balance that never changes."""
    return written(resources.balance(require_account(call)))


async def _account(call: Call) -> dict[str, object]:
    org = await call.services.accounts.orgs.find(call.caller.org)
    if org is None:
        raise NotFound("There is no such org any more.")
    return resources.account(org.id, org.name, org.created_at)
