"""What the server and the web application tell each other in the ASGI messages of a call."""

from typing import Final

RELAYED: Final = "phonegate.relayed"
"""Whether a proxy that is not trusted passed the request on."""

OWNER: Final = "phonegate.owner"
"""Who is answerable for the answer. Without it, that is the client's network."""

STREAM: Final = "phonegate.stream"
"""The body of the answer, where it is produced while it is sent. In the message that begins such
an answer it tells the server that no deadline of a request applies to it any more."""
