"""What orgs have chosen for themselves, known without asking the database."""

from typing import Final

import trio

from phonegate import log
from phonegate.model.bounds import MAX_CHARACTERS
from phonegate.model.orgs import Options
from phonegate.model.refusals import BadInput, FieldProblem, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables

_DEFAULT: Final = Options()

_log = log.get("accounts")


class OrgOptions:
    """The options of every org. All reads and changes of them go through the one object."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Those of orgs that have chosen any: few, of two words each.
        self._chosen: dict[int, Options] = {}
        # Two changes of one org must not be noted in another order than they were stored in.
        self._changes = trio.Lock()

    async def load(self) -> None:
        """Reads them from the database, before the first request."""
        self._chosen = await self._database.read(lambda tx: tx.orgs.options())

    def of(self, org: int) -> Options:
        """Returns the options of an org, as they are now."""
        return self._chosen.get(org, _DEFAULT)

    async def set(
        self, org: int, *, default_country: str | None = None, max_characters: int | None = None
    ) -> Options:
        """Changes options of an org, from the next request on. What is None stays as it is.

        Args:
            org: Whose.
            default_country: Two letters of ISO 3166. Empty: numbers without a country have none.
            max_characters: From 1 to `MAX_CHARACTERS`.

        Returns:
            All its options.

        Raises:
            BadInput: A value is wrong.
            NotFound: There is no such org.
        """
        problems = []
        country = default_country
        if country:
            # Loaded where a country is named: the plans of all numbers are large.
            from phonegate.domain import numbering_plans  # noqa: PLC0415

            country, problem = numbering_plans.read_country(country)
            if problem:
                problems.append(FieldProblem("default_country", problem))
        if max_characters is not None and not 1 <= max_characters <= MAX_CHARACTERS:
            text = f"must be a whole number from 1 to {MAX_CHARACTERS}"
            problems.append(FieldProblem("max_characters", text))
        if problems:
            raise BadInput("; ".join(f"{p.field} {p.problem}" for p in problems) + ".", problems)

        def choose(tx: Tables) -> tuple[str, Options]:
            found = tx.orgs.by_id(org)
            options = tx.orgs.choose(org, default_country=country, max_characters=max_characters)
            if found is None or options is None:
                raise NotFound("There is no such org.")
            return found.name, options

        async with self._changes:
            name, options = await self._database.write(choose)
            self._chosen[org] = options
        _log.info(
            "org_options_changed",
            org=name,
            default_country=options.default_country or "none",
            max_characters=options.max_characters,
        )
        return options
