"""What the owner asks for to set an empty gateway up, answered over the control socket."""

from collections.abc import Callable, Sequence

import attrs
import trio

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.operations.owner_endpoint import owner_endpoint
from phonegate.typed_json.fields import field


@attrs.frozen(kw_only=True)
class SetUpAnswer:
    """The set-up link, at each address of the gateway."""

    ok: bool = field("Always true.", default=True)
    links: tuple[str, ...] = field(
        "The best one first. None where there is an org already.", private=True
    )
    console: tuple[str, ...] = field("Where the console is, in the same order.")


def set_up_endpoint(find_urls: Callable[[], Sequence[str]]) -> Endpoint:
    """Returns the endpoint of a gateway that serves.

    Args:
        find_urls: Finds where others and this machine reach the gateway, the best address first.
            It may take a moment.
    """

    async def set_up(call: Call) -> Answer:
        """Shows the one-time link by which an empty gateway is set up in a browser."""
        path = call.services.accounts.set_up.path
        urls = await trio.to_thread.run_sync(find_urls)
        content = SetUpAnswer(
            links=() if path is None else tuple(f"{url}{path}" for url in urls),
            console=tuple(f"{url}/console" for url in urls),
        )
        return Answer(content=content)

    return owner_endpoint("GET", "/set-up", set_up, SetUpAnswer)
