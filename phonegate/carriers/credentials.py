"""Checks, describes and masks the credentials of accounts."""

from collections.abc import Mapping, Sequence
from typing import Final

from phonegate.carriers.provider import CredentialField, Provider
from phonegate.model.refusals import BadInput, FieldProblem

SHOWN: Final = 4
"""Characters shown of a masked credential: enough to recognize it."""
SHORTEST_SHOWN: Final = 12
"""Shorter credentials are masked whole: four characters would be too much of them."""


def check_fields(provider: Provider, given: Mapping[str, object]) -> dict[str, str]:
    """Checks the credentials of an account.

    Returns:
        Them as they are kept: without optional ones that are None or empty.

    Raises:
        BadInput: It names every field that is wrong, never its value.
    """
    fields = {field.name: field for field in provider.fields}
    problems = [
        FieldProblem(
            f"credentials.{name}", f"is unknown to {provider.name}; known: {', '.join(fields)}"
        )
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
    problems += unusable_fields(provider, kept)
    if problems:
        named = ", ".join(problem.field for problem in problems)
        raise BadInput(f"The {provider.name} credentials are wrong: {named}.", problems)
    return kept


def unusable_fields(provider: Provider, kept: Mapping[str, str]) -> list[FieldProblem]:
    """Finds credentials of the right form that this machine can't use.

    A key whose package is not installed is one. The texts never hold the values.
    """
    found = (
        (field.name, field.problem(kept[field.name]))
        for field in provider.fields
        if field.name in kept
    )
    return [FieldProblem(f"credentials.{name}", problem) for name, problem in found if problem]


def in_words(fields: Sequence[CredentialField]) -> str:
    """Describes what an account is opened with: "api_key, optional public_key"."""
    needed = [field.name for field in fields if field.required]
    optional = [field.name for field in fields if not field.required]
    return ", ".join([*needed, *([f"optional {', '.join(optional)}"] if optional else [])])


def mask(value: str) -> str:
    """Masks a credential: its last four characters are shown, or none if it is short."""
    return "…" + value[-SHOWN:] if len(value) >= SHORTEST_SHOWN else "…"


def masked(credentials: Mapping[str, str]) -> dict[str, str]:
    """Masks every credential."""
    return {name: mask(value) for name, value in credentials.items()}
