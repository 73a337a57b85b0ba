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


TEXT: Final = "Backup failed"


def _smseagle(act: str, method: str) -> Callable[[str], Asked]:
    """APIv1. The tests have a contact for each number, which is called as the number is."""
    name = "to" if act == "send_sms" else "contactname"

    def asked(to: str) -> Asked:
        path, parameters = f"/http_api/{act}", {name: to, "message": TEXT}
        return (
            Asked(path=path, query=parameters)
            if method == "get"
            else Asked(path=path, form=parameters)
        )

    return asked


def _rpc(to: str) -> Asked:
    return Asked(
        path="/jsonrpc/sms",
        json={"method": "sms.send_sms", "params": {"to": to, "message": TEXT}},
    )


_OF_OLD: Final[Mapping[str, Callable[[str], Asked]]] = {
    **{
        f"smseagle_{act}_{method}": _smseagle(act, method)
        for act in ("send_sms", "send_tocontact")
        for method in ("get", "post")
    },
    "smseagle_jsonrpc": _rpc,
    "smseagle_v2": lambda to: Asked(path="/api/v2/messages/sms", json={"to": [to], "text": TEXT}),
    "jasmin_send": lambda to: Asked(path="/send", query={"to": to, "content": TEXT}),
    "jasmin_post": lambda to: Asked(path="/send", form={"to": to, "content": TEXT}),
    "jasmin_secure_send": lambda to: Asked(path="/secure/send", json={"to": to, "content": TEXT}),
    "jasmin_secure_sendbatch": lambda to: Asked(
        path="/secure/sendbatch", json={"messages": [{"to": [to], "content": TEXT}]}
    ),
    "kannel_sendsms": lambda to: Asked(path="/cgi-bin/sendsms", query={"to": to, "text": TEXT}),
    "kannel_sendsms_post": lambda to: Asked(path="/cgi-bin/sendsms", form={"to": to, "text": TEXT}),
    "playsms_ws": lambda to: Asked(
        path="/playsms", query={"app": "ws", "op": "pv", "to": to, "msg": TEXT}
    ),
    "playsms_ws_post": lambda to: Asked(
        path="/playsms", form={"app": "ws", "op": "pv", "to": to, "msg": TEXT}
    ),
}
"""The gateways of old."""
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
    "teltonika_send": lambda to: Asked(
        path="/api/messages/actions/send",
        json={"data": {"modem": "1-1", "number": to, "message": TEXT}},
    ),
    **_OF_OLD,
    "smsgate_api_send": lambda to: Asked(
        path="/api/3rdparty/v1/messages",
        json={"phoneNumbers": [to], "textMessage": {"text": "hello"}},
    ),
    "smsgate_api_send_at_root": lambda to: Asked(
        path="/message", json={"phoneNumbers": [to], "message": "hello"}
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
    **{
        f"smsgate_api_{name}{ending}": Asked(path=f"{base}{path}", json=json)
        for base, ending in (("/api/3rdparty/v1", ""), ("", "_at_root"))
        for name, path, json in (
            ("make_token", "/auth/token", {"scopes": ["messages:send"]}),
            ("put_webhook", "/webhooks", {"url": "https://example.org", "event": "sms:received"}),
            ("change_settings", "/settings", {"webhooks": {"signing_key": "12345678"}}),
            ("replace_settings", "/settings", {"webhooks": {"signing_key": "12345678"}}),
        )
    },
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
