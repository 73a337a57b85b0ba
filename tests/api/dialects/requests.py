"""A request for each endpoint of a dialect, as its clients make it: what the generated tests call.

A new endpoint of a dialect that sends gets a line in `SENDING`, and any other in `OTHERS` where it
needs more than its path.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from phonegate.api.endpoint import Endpoint


@attrs.frozen(kw_only=True)
class Asked:
    """What a client asks for, without its credential."""

    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    form: Mapping[str, str] | None = None
    json: Any = None
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def address(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def body(self) -> bytes | None:
        """The body."""
        if self.form is not None:
            return urlencode(self.form).encode()
        return None if self.json is None else json.dumps(self.json).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers, with the Content-Type of the body."""
        if self.form is not None:
            return {"Content-Type": "application/x-www-form-urlencoded", **self.headers}
        return dict(self.headers)


SENDING: Final[Mapping[str, Callable[[str], Asked]]] = {
    "generic_send_by_get": lambda to: Asked(path="/sms", query={"to": to, "text": "x"}),
    "generic_send": lambda to: Asked(path="/sms", form={"number": to, "message": "x"}),
    "uptime_kuma_send": lambda to: Asked(path="/api/v1/sms/send", json={"to": to, "body": "x"}),
    "textbee_send": lambda to: Asked(
        path="/gateway/devices/any/send-sms", json={"recipients": [to], "message": "x"}
    ),
}
"""By name of the endpoint: asks to send a text to a number."""

OTHERS: Final[Mapping[str, Asked]] = {}
"""By name of the endpoint: a right request, in an org with the id 1, about things with the id 1."""


def asked_of(endpoint: Endpoint) -> Asked:
    """Returns a request for an endpoint that does not send."""
    if endpoint.name in OTHERS:
        return OTHERS[endpoint.name]
    path = endpoint.paths[0]
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}1{rest.partition('}')[2]}"
    return Asked(path=path)
