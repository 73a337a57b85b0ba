"""The rules for an assistant's name, numbers and credentials. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from phonegate.model.assistants import PHONE
from phonegate.model.numbers import is_e164
from phonegate.model.refusals import BadInput, FieldProblem

MAX_NAME: Final = 100
"""Characters of an assistant's name, as of an API key's."""

MAX_NUMBERS: Final = 50
"""Sender numbers of one assistant: more than any pool of senders has, and few enough for a page."""

_NAMED: Final = 3
"""Problems that a sentence names. All of them are in `BadInput.problems`."""

CheckCredentials = Callable[[str, Mapping[str, object]], dict[str, str]]
"""Takes a carrier's name and the credentials of an account, and gives them as they are kept.

Raises `BadInput` that names the wrong ones, never their values.
"""

UnusableCredentials = Callable[[str, Mapping[str, str]], Sequence[FieldProblem]]
"""Takes a carrier's name and stored credentials, and gives those that this machine can't use."""


def kept_credentials(
    check: CheckCredentials,
    *,
    name: str,
    provider: str,
    phone_numbers: Sequence[str],
    credentials: Mapping[str, object],
) -> dict[str, str]:
    """Checks a whole assistant, and gives its credentials as they are kept.

    Raises:
        BadInput: It names every wrong field.
    """
    problems = list(form_problems(name, phone_numbers))
    kept: dict[str, str] = {}
    if provider == PHONE:
        if any(value not in (None, "") for value in credentials.values()):
            problems.append(FieldProblem("credentials", "must be empty: a phone needs none"))
    else:
        try:
            kept = check(provider, credentials)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise refusal(problems)
    return kept


def form_problems(name: str, phone_numbers: Sequence[str]) -> Iterator[FieldProblem]:
    """Finds what is wrong with the form of an assistant's name and numbers."""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name.isspace():
        yield FieldProblem("name", f"must be 1 to {MAX_NAME} printable characters")
    if not 1 <= len(phone_numbers) <= MAX_NUMBERS:
        yield FieldProblem("phone_numbers", f"must hold 1 to {MAX_NUMBERS} numbers")
        return
    for index, number in enumerate(phone_numbers):
        if not is_e164(number):
            problem = "must be a number like +15553334444 (E.164)"
            yield FieldProblem(f"phone_numbers[{index}]", problem)
        elif number in phone_numbers[:index]:
            yield FieldProblem(f"phone_numbers[{index}]", "stands there twice")


def refusal(problems: Sequence[FieldProblem], about: str = "") -> BadInput:
    """Makes a refusal whose sentence names the first problems, for those who see only that."""
    named = "; ".join(f"{one.field} {one.problem}" for one in problems[:_NAMED])
    more = f" ({len(problems) - _NAMED} more)" if len(problems) > _NAMED else ""
    return BadInput(f"{about}: {named}{more}." if about else f"{named}{more}.", problems)
