"""What a carrier's account is opened with: which fields, their form, and how they are shown."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from phonegate.carriers.signatures import SignatureUnsupported, check_public_key
from phonegate.model.refusals import BadInput, FieldProblem

Provider = Literal["twilio", "telnyx"]

UNSIGNED = (
    "without public_key, nothing but their unguessable address proves that callbacks come from "
    "Telnyx: set it (Mission Control, Keys & Credentials, Public Key)"
)
"""What is said of such an account, see `is_unsigned`."""

SHOWN = 4
"""Characters of a masked credential: enough to tell which it is."""
SHORTEST_SHOWN = 12
"""What is shorter is masked whole: four characters would be too much of it."""


@attrs.frozen(kw_only=True)
class CredentialField:
    """One field of an account's credentials."""

    name: str
    secret: bool
    """Whether it opens the account; the others only name things."""
    required: bool
    form: re.Pattern[str] = attrs.field(repr=False)
    says: str
    """The form in words, after "must be"."""


# Printable ASCII without blanks: what a header takes. Their lengths have changed before.
_OPAQUE = re.compile(r"[\x21-\x7e]{8,256}")
_PRINTABLE = "8 to 256 printable characters without blanks"

FIELDS: Mapping[Provider, tuple[CredentialField, ...]] = MappingProxyType(
    {
        "twilio": (
            CredentialField(
                name="account_sid",
                secret=False,
                required=True,
                form=re.compile(r"AC[0-9a-fA-F]{32}"),
                says="AC and 32 hexadecimal digits",
            ),
            CredentialField(
                name="auth_token", secret=True, required=True, form=_OPAQUE, says=_PRINTABLE
            ),
            CredentialField(
                name="messaging_service_sid",
                secret=False,
                required=False,
                form=re.compile(r"MG[0-9a-fA-F]{32}"),
                says="MG and 32 hexadecimal digits",
            ),
        ),
        "telnyx": (
            CredentialField(
                name="api_key", secret=True, required=True, form=_OPAQUE, says=_PRINTABLE
            ),
            CredentialField(
                name="public_key",
                secret=False,
                required=False,
                form=re.compile(r"[A-Za-z0-9+/]{43}="),
                says="32 bytes in base64, as the portal shows it",
            ),
            CredentialField(
                name="messaging_profile_id",
                secret=False,
                required=False,
                form=re.compile(r"[0-9A-Za-z-]{1,64}"),
                says="a profile's id",
            ),
        ),
    }
)


def check_credentials(provider: Provider, given: Mapping[str, object]) -> dict[str, str]:
    """The credentials as they are kept; optional ones that are None or empty are left out.

    Raises:
        BadInput: It names every field that is wrong, never its value.
    """
    fields = {field.name: field for field in FIELDS[provider]}
    problems = [
        FieldProblem(f"credentials.{name}", f"is unknown to {provider}; known: {', '.join(fields)}")
        for name in given
        if name not in fields
    ]
    kept: dict[str, str] = {}
    for field in fields.values():
        value = given.get(field.name)
        if value is None or value == "":
            if field.required:
                problems.append(FieldProblem(f"credentials.{field.name}", "is required"))
        elif not isinstance(value, str) or not field.form.fullmatch(value):
            problems.append(FieldProblem(f"credentials.{field.name}", f"must be {field.says}"))
        else:
            kept[field.name] = value
    if "public_key" in kept:
        try:
            check_public_key(kept["public_key"])
        except SignatureUnsupported as error:
            problems.append(FieldProblem("credentials.public_key", str(error)))
    if problems:
        named = ", ".join(problem.field for problem in problems)
        raise BadInput(f"The {provider} credentials are wrong: {named}.", problems)
    return kept


def mask(value: str) -> str:
    """A credential as it is shown: its last four characters, or none of a short one."""
    return "…" + value[-SHOWN:] if len(value) >= SHORTEST_SHOWN else "…"


def masked(credentials: Mapping[str, str]) -> dict[str, str]:
    """Every credential, masked."""
    return {name: mask(value) for name, value in credentials.items()}


def is_unsigned(provider: str, credentials: Mapping[str, object]) -> bool:
    """Whether the callbacks of an account's carrier are taken without a signature."""
    return provider == "telnyx" and not credentials.get("public_key")
