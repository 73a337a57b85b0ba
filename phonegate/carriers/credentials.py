"""Credentials of accounts: checked, described and masked."""

from collections.abc import Mapping, Sequence
from typing import Final

from phonegate.carriers.provider import CredentialField, Provider
from phonegate.model.refusals import BadInput, FieldProblem

SHOWN: Final = 4
"""Characters of a masked credential: enough to tell which it is."""
SHORTEST_SHOWN: Final = 12
"""What is shorter is masked whole: four characters would be too much of it."""


def check_fields(provider: Provider, given: Mapping[str, object]) -> dict[str, str]:
    """The credentials as they are kept. Optional ones that are None or empty are left out.

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
    """Credentials of the right form that this machine can't use, such as a key without its package.

    The values are never in the texts.
    """
    found = (
        (field.name, field.problem(kept[field.name]))
        for field in provider.fields
        if field.name in kept
    )
    return [FieldProblem(f"credentials.{name}", problem) for name, problem in found if problem]


def in_words(fields: Sequence[CredentialField]) -> str:
    """What an account is opened with: "api_key, optional public_key"."""
    needed = [field.name for field in fields if field.required]
    optional = [field.name for field in fields if not field.required]
    return ", ".join([*needed, *([f"optional {', '.join(optional)}"] if optional else [])])


def mask(value: str) -> str:
    """A credential as it is shown: its last four characters, or none of a short one."""
    return "…" + value[-SHOWN:] if len(value) >= SHORTEST_SHOWN else "…"


def masked(credentials: Mapping[str, str]) -> dict[str, str]:
    """Every credential, masked."""
    return {name: mask(value) for name, value in credentials.items()}
