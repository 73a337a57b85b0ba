"""The applications of a gateway that serves, made when the first request needs one.

A start needs none of them: the fast path and the phones' link answer by themselves. The first other
request, and the owner's first command, load this module in a thread, and by it Quart, the pages,
and all endpoints with their types: a third of what a gateway can load.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from phonegate.api.endpoint import Endpoint
from phonegate.api.pairing_api import PairingEndpoints
from phonegate.api.pipeline import Pipeline
from phonegate.api.table import build_table
from phonegate.assembly import Core
from phonegate.domain.pairing_offers import PairingOffers
from phonegate.operations.alarms_api import alarms_endpoints
from phonegate.operations.app import OperatorApp
from phonegate.operations.certificate_renewal import is_in_use, own_authority
from phonegate.operations.copies_api import copies_endpoints
from phonegate.operations.moving_api import moving_endpoints
from phonegate.operations.operations import Operations
from phonegate.operations.owner import AUTHORIZATION, owner_pipeline
from phonegate.operations.owner_api import OwnerEndpoints
from phonegate.operations.pairing_api import pairing_endpoint
from phonegate.operations.set_up_api import set_up_endpoint
from phonegate.server import AsgiApp


def main_app(
    core: Core,
    pipeline: Pipeline,
    of_operator: Sequence[Endpoint],
    inner: Sequence[Endpoint],
) -> AsgiApp:
    """Returns the application of the main server, and completes the table of its pipeline.

    Args:
        core: That of the gateway.
        pipeline: What answers, so far the endpoints of the fast path alone.
        of_operator: The operator's endpoints on the main server.
        inner: What the console calls beside the API: see `owner_endpoints` and `inner_pairing`.
    """
    # The owner's commands need no pages.
    from phonegate.pages.app import build_whole_app  # noqa: PLC0415
    from phonegate.pages.assets import Assets  # noqa: PLC0415
    from phonegate.pages.endpoints import page_endpoints  # noqa: PLC0415

    settings, assets = core.settings, Assets()
    pages = page_endpoints(
        assets,
        core.pairing,
        public_url=settings.http.public_url,
        find_authority=lambda: own_authority(settings).authority,
    )
    dialects = settings.dialects.enabled
    pipeline.complete(build_table(*of_operator, *pages, dialects=dialects))
    return build_whole_app(
        core.services,
        settings.http,
        pipeline,
        assets,
        own_certificate=is_in_use(settings, own_authority(settings)),
        inner=inner,
        dialects=dialects,
    )


def owner_app(
    core: Core,
    operations: Operations,
    find_urls: Callable[[], Sequence[str]],
    find_local_urls: Callable[[], Sequence[str]],
) -> OperatorApp:
    """Returns the application of the control socket.

    Args:
        core: That of the gateway.
        operations: The gateway's.
        find_urls: Finds the gateway's URLs for others.
        find_local_urls: Finds its URLs for programs on the same machine.
    """
    pipeline = owner_pipeline(
        core.services, owner_endpoints(core, operations, find_urls, find_local_urls)
    )
    return OperatorApp(pipeline, AUTHORIZATION)


def owner_endpoints(
    core: Core,
    operations: Operations,
    find_urls: Callable[[], Sequence[str]],
    find_local_urls: Callable[[], Sequence[str]],
) -> tuple[Endpoint, ...]:
    """Returns what only the owner may do. The arguments are those of `owner_app`."""
    return (
        *OwnerEndpoints(core.database, operations.status).endpoints(),
        pairing_endpoint(pairing_offers(core, find_urls)),
        set_up_endpoint(lambda: (*find_urls(), *find_local_urls())),
        *alarms_endpoints(lambda: operations.standing, operations.try_targets),
        *copies_endpoints(operations.copy_desk),
        *moving_endpoints(
            core.database,
            core.services.accounts.moves,
            core.services.now_ms,
            phones_left=core.phones.switchboard.org_left,
        ),
    )


def pairing_offers(core: Core, find_urls: Callable[[], Sequence[str]]) -> PairingOffers:
    """Returns what makes links for new phones, for the owner's command and for the console."""

    def find_authority() -> Path:
        return own_authority(core.settings).authority

    return PairingOffers(core.pairing, find_urls, find_authority)


def inner_pairing(core: Core, find_urls: Callable[[], Sequence[str]]) -> tuple[Endpoint, ...]:
    """Returns the endpoints by which the console pairs phones."""
    offers = pairing_offers(core, find_urls)
    return PairingEndpoints(offers, core.settings.http.public_url).endpoints()
