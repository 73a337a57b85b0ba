"""What the server and the web application tell each other in the ASGI scope of a call."""

from typing import Final

RELAYED: Final = "phonegate.relayed"
"""Whether a proxy that is not trusted passed the request on."""

OWNER: Final = "phonegate.owner"
"""Who is answerable for the answer. Without it, that is the place of the client's address."""
