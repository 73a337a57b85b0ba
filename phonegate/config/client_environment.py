"""The variables of the environment that the program's own client commands read.

They begin as those of the gateway's settings do, so what reads settings must know them as well.
"""

from typing import Final

URL: Final = "PHONEGATE_URL"
ORG: Final = "PHONEGATE_ORG"
KEY: Final = "PHONEGATE_KEY"
SECRET: Final = "PHONEGATE_SECRET"  # noqa: S105 - a variable's name
CACERT: Final = "PHONEGATE_CACERT"
CONFIG: Final = "PHONEGATE_CONFIG"

ASSISTANT: Final = "PHONEGATE_ASSISTANT_"
"""The beginning of the variables that an assistant's credentials are read from."""

CREDENTIALS: Final = (KEY, SECRET)
"""The variables for a client command's API key or org's secret. Each may hold either, and the first
that is set is used."""


_NAMED: Final = frozenset({URL, ORG, KEY, SECRET, CACERT, CONFIG})


def is_client_variable(name: str) -> bool:
    """Tells whether a variable is one of these."""
    return name in _NAMED or (name.startswith(ASSISTANT) and name in client_variables())


def client_variables() -> frozenset[str]:
    """Returns the names of all these variables. None is a setting of the gateway."""
    from phonegate.carriers.registry import CARRIERS  # noqa: PLC0415 - keeps `--help` fast

    fields = {field.name for carrier in CARRIERS.values() for field in carrier.fields}
    credentials = (ASSISTANT + name.upper() for name in fields)
    return _NAMED.union(credentials)
