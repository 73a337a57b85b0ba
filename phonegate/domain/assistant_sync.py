"""Brings the assistants that the configuration file declares into the database."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.config.settings import AssistantSettings
from phonegate.domain.assistant_form import (
    CheckCredentials,
    UnusableCredentials,
    kept_credentials,
    refusal,
)
from phonegate.model.assistants import Assistant
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.storage_errors import NumberTaken
from phonegate.store.tables import Tables

TOKEN_BYTES: Final = 24
"""Random bytes in a callback address: 192 bits can't be guessed."""


def make_token() -> str:
    """Makes the unguessable part of a callback address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def sync_declared(
    tx: Tables, declared: Sequence[AssistantSettings], check: CheckCredentials, now: int
) -> list[int]:
    """Changes the stored assistants of the file to what the file says now.

    An assistant keeps its id and callback address while its org and provider stay, and its name
    or, where it was renamed, one of its numbers.

    Args:
        tx: The transaction. It must be undone if this raises.
        declared: What the file says.
        check: Checks the credentials.
        now: In ms.

    Returns:
        The ids of those that were changed or removed.

    Raises:
        BadInput: It names everything that is wrong.
    """
    stored = tx.assistants.from_file()
    wanted, problems = _wanted(tx, declared, check)
    pairs = _paired(wanted, stored)
    changed = [old for index, old in pairs.items() if not _same(wanted[index], old)]
    removed = [old for old in stored if old not in pairs.values()]
    for old in removed:
        tx.assistants.remove(old.org, old.id)
    for old in changed:
        # Numbers may move from one to another, so all are given up before any is claimed.
        _put(tx, old, attrs.evolve(old, phone_numbers=()))
    for index, new in wanted.items():
        former = pairs.get(index)
        try:
            if former is None:
                _add(tx, new, now)
            elif former in changed:
                _put(tx, former, new)
        except NumberTaken as error:
            text = f"{error.number} belongs to another assistant of {new.org_name}"
            problems.append(FieldProblem(_label(index, new.name), text))
    if problems:
        raise refusal(problems, "The configured assistants can't be used")
    return [old.id for old in (*changed, *removed)]


def require_usable(stored: Sequence[Assistant], unusable: UnusableCredentials) -> None:
    """Makes sure that this machine can use the stored credentials.

    It can't where they need a package that is no longer installed, for one.

    Raises:
        BadInput: It names every assistant whose credentials it can't use.
    """
    problems = [
        FieldProblem(f"assistant {one.id} of {one.org_name}: {wrong.field}", wrong.problem)
        for one in stored
        for wrong in unusable(one.provider, one.credentials)
    ]
    if problems:
        raise refusal(problems, "A stored assistant can't be used")


def _wanted(
    tx: Tables, declared: Sequence[AssistantSettings], check: CheckCredentials
) -> tuple[dict[int, Assistant], list[FieldProblem]]:
    """Checks the declared assistants.

    Returns:
        Those that are right, by their index in the file, and what is wrong with the others.
    """
    wanted: dict[int, Assistant] = {}
    problems: list[FieldProblem] = []
    for index, one in enumerate(declared):
        label = _label(index, one.name)
        org = tx.orgs.get(one.org)
        if org is None:
            text = f"there is no org named {one.org}; add it with: phonegate org add {one.org}"
            problems.append(FieldProblem(label, text))
            continue
        try:
            kept = kept_credentials(
                check,
                name=one.name,
                provider=one.provider,
                phone_numbers=one.phone_numbers,
                credentials=one.credentials,
            )
        except BadInput as error:
            problems += [FieldProblem(f"{label}: {p.field}", p.problem) for p in error.problems]
            continue
        wanted[index] = Assistant(
            id=0,
            org=org.id,
            org_name=org.name,
            name=one.name,
            provider=one.provider,
            phone_numbers=one.phone_numbers,
            credentials=kept,
            token="",
            from_file=True,
            created_at=0,
        )
    return wanted, problems


def _add(tx: Tables, new: Assistant, now: int) -> None:
    tx.assistants.add(
        new.org,
        name=new.name,
        provider=new.provider,
        phone_numbers=new.phone_numbers,
        credentials=new.credentials,
        token=make_token(),
        from_file=True,
        now=now,
    )


def _put(tx: Tables, old: Assistant, new: Assistant) -> None:
    tx.assistants.change(
        old,
        name=new.name,
        provider=new.provider,
        phone_numbers=new.phone_numbers,
        credentials=new.credentials,
        from_file=True,
    )


def _paired(wanted: Mapping[int, Assistant], stored: Sequence[Assistant]) -> dict[int, Assistant]:
    """Finds the stored assistant that each wanted one is: by its name, or else by a number."""
    pairs: dict[int, Assistant] = {}
    for matches in (_same_name, _same_number):
        for index, new in wanted.items():
            if index not in pairs:
                free = (old for old in stored if old not in pairs.values())
                found = next(
                    (old for old in free if _same_account(new, old) and matches(new, old)), None
                )
                if found is not None:
                    pairs[index] = found
    return pairs


def _same_account(one: Assistant, other: Assistant) -> bool:
    return (one.org, one.provider) == (other.org, other.provider)


def _same_name(one: Assistant, other: Assistant) -> bool:
    return one.name == other.name


def _same_number(one: Assistant, other: Assistant) -> bool:
    return not set(one.phone_numbers).isdisjoint(other.phone_numbers)


def _same(one: Assistant, other: Assistant) -> bool:
    return (
        one.name == other.name
        and set(one.phone_numbers) == set(other.phone_numbers)
        and one.credentials == other.credentials
    )


def _label(index: int, name: str) -> str:
    return f"assistants[{index}] ({name})"
