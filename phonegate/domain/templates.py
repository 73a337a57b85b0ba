"""Templates of an org: texts that its people send again and again."""

from typing import Final

from phonegate.domain.contacts import tidy
from phonegate.model.bounds import MAX_BODY
from phonegate.model.contacts import MAX_NAME, Template
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, Forbidden
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST: Final = 200
"""Most templates of an org: all are in the list from which one is chosen."""


class Templates:
    """The templates of all orgs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_org(self, reader: Principal) -> list[Template]:
        """Returns the templates by name. None of them to a caller who may not send."""
        if not (allows(reader.scopes, "send") or allows(reader.scopes, "manage")):
            return []
        return await self._database.read(lambda tx: tx.templates.of_org(reader.org))

    async def put(
        self,
        owner: Principal,
        name: str,
        body: str,
        *,
        instead_of: int | None = None,
        most_characters: int = MAX_BODY,
    ) -> int | None:
        """Stores a template, new or in place of another. Its text may have `most_characters`.

        Returns:
            Its id. None if there is no such template to change.

        Raises:
            BadInput: The name or text is wrong, or another template has the name.
            Conflict: The org has as many as it may.
            Forbidden: The owner may not change templates.
        """
        _require_owner(owner)
        name = tidy(name)
        body = body.replace("\r\n", "\n")
        problems = []
        if not 1 <= len(name) <= MAX_NAME:
            problems.append(FieldProblem("name", f"must be 1 to {MAX_NAME} characters"))
        # What stands for {placeholders} may make it longer, which is seen before it is sent.
        if not body.strip() or len(body) > most_characters:
            problems.append(FieldProblem("body", f"must be 1 to {most_characters} characters"))
        _refuse(problems)

        def op(tx: Tables) -> int | None:
            taken = tx.templates.named(owner.org, name)
            if taken is not None and taken != instead_of:
                _refuse([FieldProblem("name", "is that of another template")])
            if instead_of is not None:
                changed = tx.templates.change(owner.org, instead_of, name, body)
                return instead_of if changed else None
            if tx.templates.count(owner.org) >= MOST:
                raise Conflict(f"An org may have {MOST} templates. Remove some.")
            return tx.templates.add(owner.org, name, body)

        return await self._database.write(op)

    async def remove(self, owner: Principal, id: int) -> bool:  # noqa: A002 - the record's name
        """Removes a template. Returns whether there was one.

        Raises:
            Forbidden: The owner may not change templates.
        """
        _require_owner(owner)
        return await self._database.write(lambda tx: tx.templates.remove(owner.org, id))


def _require_owner(owner: Principal) -> None:
    if not allows(owner.scopes, "manage"):
        raise Forbidden("Your key lacks manage, so it can't change templates.")


def _refuse(problems: list[FieldProblem]) -> None:
    if problems:
        raise BadInput("; ".join(f"{p.field} {p.problem}" for p in problems) + ".", problems)
