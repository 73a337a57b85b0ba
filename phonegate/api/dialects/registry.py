"""The endpoints of every dialect, by its name. A new dialect gets a line here."""

from collections.abc import Collection, Mapping, Sequence

from phonegate.api.dialects import hooks
from phonegate.api.dialects.generic import api as generic
from phonegate.api.dialects.generic import textbee
from phonegate.api.endpoint import Endpoint
from phonegate.model.dialects import DialectName


def endpoints_of(names: Collection[str]) -> list[Endpoint]:
    """Returns the endpoints of some dialects.

    Args:
        names: The dialects that are served.
    """
    endpoints: Mapping[DialectName, Sequence[Endpoint]] = {
        "hooks": hooks.ENDPOINTS,
        "generic": (*generic.ENDPOINTS, *textbee.ENDPOINTS),
    }
    return [one for name, found in endpoints.items() if name in names for one in found]
