"""The address that programs reach the gateway by, as a page of the console writes it."""

from phonegate.api.address import own_address
from phonegate.pages.console.visit import Visit


def gateway_address(visit: Visit) -> str:
    """Returns the beginning of the gateway's URLs: as its owner set it, or as it was asked at."""
    request = visit.request
    scheme = "https" if request.secure else "http"
    host = request.headers.get("host", "")
    return own_address(visit.services.public_url, scheme, host, request.prefix)
