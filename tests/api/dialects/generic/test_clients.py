"""The very requests of programs that have an HTTP gateway of the user's own, as their sources make
them. Each is answered as its program takes for success."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import attrs
import pytest

from tests.api.conftest import ORG, SECRET, Reply, Web
from tests.api.dialects.generic.senders import OTHER, TO, make_key, stored

FORM = "application/x-www-form-urlencoded"
BASIC = "Basic " + base64.b64encode(f"{ORG}:{SECRET}".encode()).decode()

TEXT = 'Host "db-1" is down & out: 100 % ü 🎉'


def is_2xx(reply: Reply) -> bool:
    return 200 <= reply.status < 300


@attrs.frozen(kw_only=True)
class Client:
    """A program's request. `{key}` stands for an API key that can do no more than send."""

    name: str
    method: str = "POST"
    path: str = "/sms"
    headers: dict[str, str] = attrs.field(factory=dict)
    body: str | None = None
    to: tuple[str, ...] = (TO,)
    text: str = TEXT
    succeeds: Callable[[Reply], bool] = is_2xx


def asked(**fields: str) -> str:
    return f"/sms?{urlencode(fields)}"


CLIENTS = (
    # homeassistant/components/rest/notify.py: requests, GET without `method`
    Client(
        name="Home Assistant, notify.rest, GET",
        method="GET",
        path=asked(message=TEXT, to=TO),
        headers={"X-API-Key": "{key}", "Accept": "*/*"},
    ),
    Client(
        name="Home Assistant, notify.rest, POST",
        headers={"Authorization": BASIC, "Content-Type": FORM},
        body=urlencode({"message": TEXT, "to": TO}),
    ),
    Client(
        name="Home Assistant, notify.rest, POST_JSON with a title",
        headers={"Authorization": BASIC, "Content-Type": "application/json"},
        body=json.dumps({"message": TEXT, "title": "Home Assistant", "target": TO}),
        text=f"Home Assistant\n{TEXT}",
    ),
    # LibreNMS/Alert/Transport/Api.php: Guzzle, the body is text/plain unless a header says other
    Client(
        name="LibreNMS, API, POST",
        path=asked(to=TO),
        headers={"Authorization": BASIC, "Content-Type": "text/plain"},
        body=TEXT,
    ),
    Client(
        name="LibreNMS, API, POST with all in the options and no body",
        path=asked(to=TO, message=TEXT),
        headers={"Authorization": BASIC, "Content-Type": "text/plain"},
        body="",
    ),
    Client(
        name="LibreNMS, API, GET",
        method="GET",
        path=asked(to=TO, message=TEXT),
        headers={"X-API-Key": "{key}"},
    ),
    # frappe/core/doctype/sms_settings/sms_settings.py
    Client(
        name="ERPNext, GET",
        method="GET",
        path="/sms?" + urlencode({"message": TEXT, "key": "{key}", "to": TO}, safe="{}"),
        headers={"Accept": "text/plain, text/html, */*"},
        succeeds=lambda reply: is_2xx(reply) and reply.data.startswith(b"OK; ID="),
    ),
    Client(
        name="ERPNext, POST, a national number of which the country code is known",
        headers={
            "Accept": "text/plain, text/html, */*",
            "Content-Type": FORM,
            "X-API-Key": "{key}",
        },
        body=urlencode({"message": TEXT, "to": "0015553334444"}),
    ),
    Client(
        name="ERPNext, POST JSON",
        headers={
            "Accept": "text/plain, text/html, */*",
            "Content-Type": "application/json",
            "X-API-Key": "{key}",
        },
        body=json.dumps({"message": TEXT, "to": TO}),
    ),
    Client(
        name="ERPNext, GET with a body of JSON",
        method="GET",
        headers={"Content-Type": "application/json", "X-API-Key": "{key}"},
        body=json.dumps({"message": TEXT, "to": TO}),
    ),
    # class-wpsms-gateway-custom.php: several recipients are a comma list, [{to}] is an array
    Client(
        name="WP SMS, GET",
        method="GET",
        # add_query_arg encodes nothing, so that users have the plugin encode the text.
        path=f"/sms?to={TO},{OTHER}&message={quote_plus(TEXT)}",
        headers={"X-API-Key": "{key}"},
        to=(TO, OTHER),
    ),
    Client(
        name="WP SMS, POST, JSON that WordPress declares as a form",
        headers={"Authorization": "Bearer {key}", "Content-Type": FORM},
        body=json.dumps({"recipients": [TO, OTHER], "message": TEXT}),
        to=(TO, OTHER),
    ),
    Client(
        name="WP SMS, POST, form with an array",
        headers={"Authorization": "Bearer {key}", "Content-Type": FORM},
        body=urlencode({"recipients[0]": TO, "recipients[1]": OTHER, "message": TEXT}),
        to=(TO, OTHER),
    ),
    # authentik/stages/authenticator_sms/models.py: the sentence is in Message, the code in Body
    Client(
        name="authentik, generic, Basic",
        headers={"Authorization": BASIC, "Content-Type": "application/json"},
        body=json.dumps({"From": "authentik", "To": TO, "Body": "123456", "Message": TEXT}),
        succeeds=lambda reply: reply.status < 400,
    ),
    Client(
        name="authentik, generic, Bearer",
        headers={"Authorization": "Bearer {key}", "Content-Type": "application/json"},
        body=json.dumps({"From": "authentik", "To": TO, "Body": "123456", "Message": TEXT}),
        succeeds=lambda reply: reply.status < 400,
    ),
    # org/traccar/sms/HttpSmsClient.java
    Client(
        name="Traccar, JSON template",
        headers={"Authorization": "Bearer {key}", "Content-Type": "application/json;charset=UTF-8"},
        body=f'{{"to":"{TO}","message":{json.dumps(TEXT)}}}',
    ),
    Client(
        name="Traccar, form template",
        headers={"Authorization": BASIC, "Content-Type": f"{FORM};charset=UTF-8"},
        body=f"phone={quote_plus(TO)}&message={quote_plus(TEXT)}",
    ),
    # nyaruka/courier, handlers/external/handler.go, and RapidPro's default body
    Client(
        name="RapidPro, External, POST",
        headers={"Authorization": "Bearer {key}", "Content-Type": FORM},
        body=urlencode(
            {
                "id": "4711",
                "text": TEXT,
                "to": TO,
                "to_no_plus": TO[1:],
                "from": "2020",
                "from_no_plus": "2020",
                "channel": "8eb23e93-5ecb-45ba-b726-3b064e0c56ab",
            }
        ).replace("from=2020&", "from=&"),
        succeeds=lambda reply: is_2xx(reply) and b'"status":"queued"' in reply.data,
    ),
    Client(
        name="RapidPro, External, GET without a plus",
        method="GET",
        path=asked(text=TEXT, to=TO[1:]),
        headers={"Authorization": "Bearer {key}", "Content-Type": FORM},
        succeeds=lambda reply: is_2xx(reply) and b"OK" in reply.data,
    ),
    # netzbegruenung/keycloak-mfa-plugins, ApiSmsService.java: nothing is escaped in JSON
    Client(
        name="Keycloak, JSON",
        headers={"Authorization": BASIC, "Content-Type": "application/json"},
        body=f'{{"uuid":"9f6b","message":"Your code\nis 123456","to":"{TO}","from":"null"}}',
        text="Your code\nis 123456",
    ),
    Client(
        name="Keycloak, form with the token as an attribute",
        headers={"Content-Type": FORM},
        body=f"token={{key}}&message={quote_plus(TEXT)}&to={quote_plus(TO)}&null=null",
    ),
    Client(
        name="Keycloak, getUrl",
        method="GET",
        path=f"/sms?to={quote_plus(TO)}&text={quote_plus(TEXT)}&token={{key}}",
    ),
    # zabbix/templates/media/brevis.one: a form of parts is declared, and all is in the query
    Client(
        name="Zabbix, brevis.one",
        path=f"/sms?username=any&password={{key}}&text={quote(TEXT)}&mode=number&to={quote(TO)}"
        "&telauto=false",
        headers={"Content-Type": "multipart/form-data"},
        body="",
    ),
    # ory/kratos, courier/http_channel.go, with a jsonnet body
    Client(
        name="Kratos",
        headers={"X-API-Key": "{key}", "Content-Type": "application/json"},
        body=json.dumps({"to": TO, "body": TEXT}),
    ),
    # Rocket.Chat, providers/voxtelesys.ts
    Client(
        name="Rocket.Chat, Voxtelesys",
        headers={"Authorization": "Bearer {key}", "Content-Type": "text/plain;charset=UTF-8"},
        body=json.dumps({"to": [TO], "from": "", "body": TEXT}),
    ),
    # pajikos/sms-gammu-gateway, as its users configure Home Assistant
    Client(
        name="gammu gateway",
        headers={"Authorization": BASIC, "Content-Type": "application/json"},
        body=json.dumps({"number": f"{TO},{OTHER}", "text": TEXT, "unicode": True}),
        to=(TO, OTHER),
    ),
    # louislam/uptime-kuma: server/notification-providers/sms-gateway.js, with axios
    Client(
        name="Uptime Kuma, SMSGateway",
        path="/api/v1/sms/send",
        headers={
            "X-API-Key": "{key}",
            "Accept": "application/json, text/plain, */*",
            "Content-Type": "application/json",
        },
        body=json.dumps({"to": TO, "body": TEXT}),
        succeeds=lambda reply: is_2xx(reply) and reply.json["status"] != "failed",
    ),
    # caronc/apprise, plugins/custom_json.py and custom_form.py
    Client(
        name="Apprise, json://",
        headers={"Authorization": BASIC, "Content-Type": "application/json"},
        body=json.dumps(
            {
                "version": "1.0",
                "title": "Disk",
                "message": TEXT,
                "attachments": [],
                "type": "info",
                "to": TO,
            }
        ),
        text=f"Disk\n{TEXT}",
    ),
    Client(
        name="Apprise, form://",
        headers={"X-API-Key": "{key}", "Content-Type": FORM},
        body=urlencode({"version": "1.0", "title": "", "message": TEXT, "type": "info", "to": TO}),
    ),
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_it_works_with(web: Web, client: Client) -> None:
    key = await make_key(web, "send")

    def filled(text: str) -> str:
        return text.replace("{key}", key)

    reply = await web.call(
        client.method,
        filled(client.path),
        secret=None,
        headers={name: filled(value) for name, value in client.headers.items()},
        raw=None if client.body is None else filled(client.body).encode(),
    )
    assert client.succeeds(reply), reply.data
    assert await stored(web) == [(to, client.text) for to in client.to]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_a_wrong_key_is_no_success_for(web: Web, client: Client) -> None:
    wrong: dict[str, Any] = {
        name: value.replace("{key}", "pgk_wrong").replace(BASIC, BASIC.replace("bX", "bY"))
        for name, value in client.headers.items()
    }
    reply = await web.call(
        client.method,
        client.path.replace("{key}", "pgk_wrong"),
        secret=None,
        headers=wrong,
        raw=None if client.body is None else client.body.replace("{key}", "pgk_wrong").encode(),
    )
    assert reply.status == 401
    assert not client.succeeds(reply)
    assert b"OK" not in reply.data
    assert await stored(web) == []
