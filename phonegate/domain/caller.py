"""A caller who presents a credential, and what its place allows. Pure."""

import attrs

from phonegate.domain.client_network import client_network, is_local
from phonegate.domain.credentials import PUBLISHED_SECRETS


@attrs.frozen(kw_only=True)
class Caller:
    """A caller who presents a credential."""

    address: str
    relayed: bool
    """Whether a proxy that is not trusted passed its request on, so that it may be anywhere."""
    foreign_host: bool = False
    """Whether it asked for a name that anyone may own. The caller may then be a page at that name,
    in a browser at this address."""

    @property
    def local(self) -> bool:
        """Whether it is on this machine or a private network around it, as far as is known."""
        return not self.relayed and is_local(self.address)

    @property
    def network(self) -> str:
        """The network under which its requests are counted."""
        return client_network(self.address)


def is_void(secret: str, caller: Caller) -> bool:
    """Tells whether a secret is public and its caller may be far away, so that it opens nothing."""
    return secret in PUBLISHED_SECRETS and (caller.foreign_host or not caller.local)
