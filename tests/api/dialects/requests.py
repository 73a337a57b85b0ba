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


ACCOUNT: Final = "/2010-04-01/Accounts/AC00000000000000000000000000000001"
"""The address of the first org at Twilio's API."""

MESSAGE: Final = f"{ACCOUNT}/Messages/SM00000000000000000000000000000001"

SENDING: Final[Mapping[str, Callable[[str], Asked]]] = {
    "twilio_create_message": lambda to: Asked(
        path=f"{ACCOUNT}/Messages.json",
        form={"To": to, "MessagingServiceSid": f"MG{'0' * 32}", "Body": "hi"},
    ),
    "generic_send_by_get": lambda to: Asked(path="/sms", query={"to": to, "text": "x"}),
    "generic_send": lambda to: Asked(path="/sms", form={"number": to, "message": "x"}),
    "uptime_kuma_send": lambda to: Asked(path="/api/v1/sms/send", json={"to": to, "body": "x"}),
    "textbee_send": lambda to: Asked(
        path="/gateway/devices/any/send-sms", json={"recipients": [to], "message": "x"}
    ),
}
"""By name of the endpoint: asks to send a text to a number."""

OTHERS: Final[Mapping[str, Asked]] = {
    "twilio_list_messages": Asked(path=f"{ACCOUNT}/Messages.json"),
    "twilio_get_message": Asked(path=f"{MESSAGE}.json"),
    "twilio_update_message": Asked(path=f"{MESSAGE}.json", form={"Status": "canceled"}),
    "twilio_delete_message": Asked(path=f"{MESSAGE}.json"),
    "twilio_message_feedback": Asked(path=f"{MESSAGE}/Feedback.json"),
    "twilio_list_media": Asked(path=f"{MESSAGE}/Media.json"),
    "twilio_get_account": Asked(path=f"{ACCOUNT}.json"),
    "twilio_get_balance": Asked(path=f"{ACCOUNT}/Balance.json"),
    "twilio_list_numbers": Asked(path=f"{ACCOUNT}/IncomingPhoneNumbers.json"),
}
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
