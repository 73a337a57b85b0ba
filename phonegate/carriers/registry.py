"""The carriers that this gateway knows. A new carrier is a folder, and one entry here.

Whatever else lists carriers is made from this list: the choices and documents of the API, callback
addresses, declared assistants, commands. The functions here are what the domain gets of carriers.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from phonegate import environment_proxies
from phonegate.carriers import telnyx, twilio
from phonegate.carriers.credentials import check_fields, in_words, unusable_fields
from phonegate.carriers.provider import Provider
from phonegate.config.settings import CarrierSettings
from phonegate.domain.carrier import Account
from phonegate.model.assistants import PHONE, Assistant
from phonegate.model.refusals import FieldProblem, Refused

CARRIERS: Final[Mapping[str, Provider]] = {
    provider.name: provider for provider in (twilio.PROVIDER, telnyx.PROVIDER)
}
"""By name, in the order in which lists show them."""

PROVIDERS: Final = (*CARRIERS, PHONE)
"""Everything that an assistant can send through."""


def titles() -> list[str]:
    """Gives the carriers' own names: "Twilio"."""
    return [carrier.title for carrier in CARRIERS.values()]


def alternatives(names: Iterable[str]) -> str:
    """Writes names as a phrase: "twilio, telnyx or phone"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def base_url(name: str, settings: CarrierSettings) -> str:
    """Gives the address of a carrier's API: as set under `[carriers]`, or else its own."""
    url: str = getattr(settings, f"{name}_url", CARRIERS[name].base_url)
    return url


def check_credentials(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """Checks the credentials of an account, and gives them as they are kept.

    Raises:
        BadInput: It names every field that is wrong, never its value.
    """
    return check_fields(CARRIERS[name], given)


def unusable_credentials(name: str, stored: Mapping[str, str]) -> list[FieldProblem]:
    """Finds stored credentials that this machine can't use, such as a key without its package."""
    return unusable_fields(CARRIERS[name], stored) if name in CARRIERS else []


def open_account(
    assistant: Assistant, settings: CarrierSettings, *, grace_s: float | None = None
) -> Account:
    """Makes the client of an assistant's account. No connection is made yet.

    Args:
        assistant: Whose account it is.
        settings: Where the carriers' APIs are.
        grace_s: How long after a try its message may still turn up, if not as the carrier's usual.

    Raises:
        BadInput: The credentials can't be right.
        Refused: The environment names a proxy that can't be used.
    """
    credentials = check_credentials(assistant.provider, assistant.credentials)
    url = base_url(assistant.provider, settings)
    try:
        with environment_proxies.explained():
            return CARRIERS[assistant.provider].open(url, credentials, grace_s)
    except environment_proxies.UnusableProxy as error:
        raise Refused(str(error)) from None


def account_mark(assistant: Assistant) -> str:
    """Gives a short hash that is another for every account, and reveals no credential."""
    account = CARRIERS[assistant.provider].account(assistant.credentials)
    return hashlib.sha256(account.encode()).hexdigest()[:8]


def unsigned(name: str, credentials: Mapping[str, object]) -> str | None:
    """Tells whether the callbacks of an account are taken without a signature.

    Returns:
        What an operator should know of it, or None where callbacks are verified, or there are none.
    """
    if name not in CARRIERS:
        return None
    callbacks = CARRIERS[name].callbacks
    return callbacks.unsigned if callbacks.key and not credentials.get(callbacks.key) else None


def credentials_in_words() -> list[str]:
    """Lists what each provider asks for: "twilio: account_sid, auth_token"."""
    return [
        *(f"{name}: {in_words(one.fields)}" for name, one in CARRIERS.items()),
        f"{PHONE}: none",
    ]
