"""The accounts of a gateway: its orgs and their API keys, and the check of their credentials."""

from collections.abc import Callable

from phonegate.domain.api_keys import ApiKeys
from phonegate.domain.authentication import Authentication
from phonegate.domain.credentials import STANDARD_COST, Cost
from phonegate.domain.org_moves import OrgMoves
from phonegate.domain.org_options import OrgOptions
from phonegate.domain.orgs import Orgs
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.domain.set_up import SetUp
from phonegate.model.facts import Publish, unheard
from phonegate.store.database import Database


class Accounts:
    """Orgs and keys, with the one `Authentication` that is informed of each change of them."""

    def __init__(
        self,
        database: Database,
        *,
        registration: Registration,
        now_ms: Callable[[], int],
        rate_limits: RateLimits,
        cost: Cost = STANDARD_COST,
        publish: Publish = unheard,
    ) -> None:
        self.authentication = Authentication(
            database,
            registration=registration,
            now_ms=now_ms,
            cost=cost,
            rate_limits=rate_limits,
            publish=publish,
        )
        self.orgs = Orgs(database, self.authentication, registration=registration, now_ms=now_ms)
        self.options = OrgOptions(database)
        self.moves = OrgMoves(
            database, self.authentication, self.options, now_ms=now_ms, publish=publish
        )
        self.set_up = SetUp(self.orgs, self.authentication.checks, now_ms=now_ms)
        self.keys = ApiKeys(database, self.authentication, now_ms=now_ms, rate_limits=rate_limits)

    async def load(self) -> None:
        """Reads what outlives a restart from the database, before the first request.

        Raises:
            StoreError: The database can't be read.
        """
        await self.orgs.read_registration()
        await self.options.load()
        await self.authentication.checks.load()
        await self.moves.load()
