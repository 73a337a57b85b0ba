"""The hosts on the Internet in whose place the gateway may answer.

Many programs have the host of Twilio's API written into them, so that no setting of theirs leads
them to a gateway. The name itself can: where it stands for the gateway's address, and the program
trusts a certificate of the gateway's own for it, the program calls the gateway.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TWILIO_HOST: Final = "api.twilio.com"

STAND_INS: Final[Mapping[str, str]] = MappingProxyType({TWILIO_HOST: "/2010-04-01"})
"""Where the paths begin that the gateway has in place of each host.

A host whose API is not spoken here has no place in this list: its name would only be taken from
the programs that need it.
"""
