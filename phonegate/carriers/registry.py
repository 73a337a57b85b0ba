"""The carriers that this gateway knows. A new one is a folder, and one entry here.

Everything else that lists carriers is made from this: the API's choices and documents, callback
addresses, settings, commands.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from phonegate.carriers import telnyx, twilio
from phonegate.carriers.credentials import check_fields, in_words, unusable_fields
from phonegate.carriers.provider import Provider
from phonegate.config.settings import CarrierSettings
from phonegate.domain.carrier import Account
from phonegate.model.assistants import PHONE, Assistant
from phonegate.model.refusals import FieldProblem

CARRIERS: Final[Mapping[str, Provider]] = {
    provider.name: provider for provider in (twilio.PROVIDER, telnyx.PROVIDER)
}
"""By name, in the order in which lists show them."""

PROVIDERS: Final = (*CARRIERS, PHONE)
"""Everything that an assistant can send through."""


def titles() -> list[str]:
    """The carriers by the names that they call themselves."""
    return [carrier.title for carrier in CARRIERS.values()]


def alternatives(names: Iterable[str]) -> str:
    """Names in a sentence: "twilio, telnyx or phone"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def base_url(name: str, settings: CarrierSettings) -> str:
    """The address of a carrier's API."""
    url: str = getattr(settings, f"{name}_url", CARRIERS[name].base_url)
    return url


def check_credentials(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """The credentials as they are kept. Optional ones that are None or empty are left out.

    Raises:
        BadInput: It names every field that is wrong, never its value.
    """
    return check_fields(CARRIERS[name], given)


def unusable_credentials(name: str, stored: Mapping[str, str]) -> list[FieldProblem]:
    """Stored credentials that this machine can't use, as when a package is no longer installed."""
    return unusable_fields(CARRIERS[name], stored) if name in CARRIERS else []


def open_account(assistant: Assistant, settings: CarrierSettings) -> Account:
    """The client of an assistant's account. No connection is made yet.

    Raises:
        BadInput: The credentials can't be right.
    """
    credentials = check_credentials(assistant.provider, assistant.credentials)
    url = base_url(assistant.provider, settings)
    return CARRIERS[assistant.provider].open(url, credentials)


def account_mark(assistant: Assistant) -> str:
    """A short hash that differs between accounts, and that no credential can be read from."""
    account = CARRIERS[assistant.provider].account(assistant.credentials)
    return hashlib.sha256(account.encode()).hexdigest()[:8]


def unsigned(name: str, credentials: Mapping[str, object]) -> str | None:
    """What to tell an operator whose account's callbacks are taken without a signature.

    Returns None where they are verified, and for a phone, which calls nobody.
    """
    if name not in CARRIERS:
        return None
    callbacks = CARRIERS[name].callbacks
    return callbacks.unsigned if callbacks.key and not credentials.get(callbacks.key) else None


def credentials_in_words() -> list[str]:
    """What each provider asks for: "twilio: account_sid, auth_token"."""
    return [
        *(f"{name}: {in_words(one.fields)}" for name, one in CARRIERS.items()),
        f"{PHONE}: none",
    ]
