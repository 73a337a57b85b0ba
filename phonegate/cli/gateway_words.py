"""What went wrong with a gateway, in the words of the commands."""

from typing import Final

from phonegate.cli.refusals import refusal
from phonegate.client import GatewayError, NotConnected, Refused, Unauthorized
from phonegate.config import client_environment

_CHECK: Final = (
    f" Check {client_environment.ORG} and {' or '.join(client_environment.CREDENTIALS)}."
)


def sentence(error: GatewayError) -> str:
    """Returns the text for a person. It names the variables and options of the commands."""
    match error:
        case Refused():
            said = refusal(error.detail, [(one.field, one.problem) for one in error.errors])
            return said + (_CHECK if isinstance(error, Unauthorized) else "")
        case NotConnected(is_refused=True):
            return (
                f"No gateway answers at {error.url}. Is it running (phonegate serve), "
                f"and is {client_environment.URL} or --url right?"
            )
        case _:
            return str(error)
