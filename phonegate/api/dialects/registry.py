"""The endpoints of every dialect, by its name. A new dialect gets a line here."""

from collections.abc import Collection, Mapping, Sequence

from phonegate.api.dialects import hooks, kannel
from phonegate.api.dialects.generic import api as generic
from phonegate.api.dialects.generic import teltonika, textbee
from phonegate.api.dialects.jasmin import api as jasmin_api
from phonegate.api.dialects.playsms import api as playsms_api
from phonegate.api.dialects.smseagle import api as smseagle_api
from phonegate.api.dialects.smsgate import api as smsgate
from phonegate.api.dialects.twilio import endpoints as twilio
from phonegate.api.endpoint import Endpoint
from phonegate.model.dialects import DialectName


def endpoints_of(names: Collection[str]) -> list[Endpoint]:
    """Returns the endpoints of some dialects.

    Args:
        names: The dialects that are served.
    """
    endpoints: Mapping[DialectName, Sequence[Endpoint]] = {
        "generic": (*generic.ENDPOINTS, *textbee.ENDPOINTS, *teltonika.ENDPOINTS),
        "smseagle": smseagle_api.ENDPOINTS,
        "jasmin": jasmin_api.ENDPOINTS,
        "kannel": kannel.ENDPOINTS,
        "playsms": playsms_api.ENDPOINTS,
        "twilio": twilio.ENDPOINTS,
        "smsgate": smsgate.ENDPOINTS,
        "hooks": hooks.ENDPOINTS,
    }
    return [one for name, found in endpoints.items() if name in names for one in found]
