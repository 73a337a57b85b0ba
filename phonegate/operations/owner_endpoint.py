"""What an endpoint of the owner is: one that no credential opens but the control socket itself."""

from typing import Final

from phonegate.api.endpoint import Endpoint, Handler
from phonegate.model.principal import OWNER_SCOPE

GROUP: Final = "owner"

MAX_PATH: Final = 4_096
"""Characters of a path (PATH_MAX of Linux)."""


def owner_endpoint(
    method: str,
    path: str,
    handler: Handler,
    answer: type,
    *,
    body: type | None = None,
    query: type | None = None,
    status: int = 200,
) -> Endpoint:
    """Returns an endpoint that is the owner's alone. Its handler's docstring describes it."""
    name: str = handler.__name__
    return Endpoint(
        name=name,
        method=method,
        paths=(path,),
        scope=OWNER_SCOPE,
        group=GROUP,
        summary=(handler.__doc__ or "").partition("\n")[0],
        body=body,
        query=query,
        answer=answer,
        statuses=(status,),
        size=None,
        handler=handler,
    )
