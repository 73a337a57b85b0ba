"""Recipes of programs that automate, and of whatever lets one write an address."""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote_plus

import yaml

from tests.recipes.recipe import (
    ACCOUNT,
    FILE,
    FORM,
    GATEWAY,
    JSON,
    KEY,
    ORG,
    SIM,
    TO,
    TWILIO,
    Answer,
    Message,
    Program,
    Request,
    Settings,
    Way,
    basic,
    filled,
    get,
    has_sid,
    of_environment,
    of_yaml,
    post_form,
    post_json,
    twilio_create,
)


def _notify_rest(settings: Settings, message: Message) -> list[Request]:
    (config,) = of_yaml(settings)["notify"]
    content = {config["message_param_name"]: message.text, config["target_param_name"]: message.to}
    return [post_json(config["resource"], content, config["headers"])]


def _notify_rest_by_get(settings: Settings, message: Message) -> list[Request]:
    (config,) = of_yaml(settings)["notify"]
    query = {"message": message.text, config["target_param_name"]: message.to}
    return [get(config["resource"], query, config["headers"])]


def _rest_command(settings: Settings, message: Message) -> list[Request]:
    (config,) = yaml.safe_load(settings[FILE])["rest_command"].values()
    marks = {"{{ to }}": message.to, "{{ text | to_json }}": json.dumps(message.text)}
    body = filled(config["payload"], marks).encode()
    headers = {**config["headers"], "Content-Type": config["content_type"]}
    return [Request(url=config["url"], headers=headers, body=body)]


def _twilio_sms(settings: Settings, message: Message) -> list[Request]:
    config = of_yaml(settings)
    account, token = config["twilio"]["account_sid"], config["twilio"]["auth_token"]
    sender = config["notify"][0]["from_number"]
    return [twilio_create(account, token, To=message.to, From=sender, Body=message.text)]


def _smsgate(settings: Settings, message: Message) -> list[Request]:
    url = f"http://{settings['Host']}:{settings['Port']}"
    shown = {"Authorization": basic(settings["Username"], settings["Password"])}
    content = {"textMessage": {"text": message.text}, "phoneNumbers": [message.to]}
    return [
        Request(method="GET", url=f"{url}/health", headers=shown),
        post_json(f"{url}/messages", content, shown),
    ]


def _has_state(answer: Answer) -> bool:
    return (
        answer.ok
        and bool(answer.json["id"])
        and answer.json["state"] in {"Pending", "Processed", "Sent"}
    )


def _textbee(settings: Settings, message: Message) -> list[Request]:
    shown = {"x-api-key": settings["API key"]}
    content = {"recipients": [message.to], "message": message.text}
    url = f"{settings['Base URL']}/gateway/devices"
    return [
        Request(method="GET", url=url, headers=shown),
        post_json(f"{url}/any/send-sms", content, shown),
    ]


def _gammu(settings: Settings, message: Message) -> list[Request]:
    (config,) = of_yaml(settings)["notify"]
    shown = {"Authorization": basic(config["username"], config["password"])}
    content = {config["message_param_name"]: message.text, config["target_param_name"]: message.to}
    return [post_json(config["resource"], content, shown)]


HOME_ASSISTANT = Program(
    name="Home Assistant",
    note="Restart it, then call the action `notify.sms` with a message and the number as "
    "target. What comes in: "
    "[docs/events.md](events.md#home-assistant).",
    ways=(
        Way(
            title="notify, platform rest",
            dialect="generic",
            where="`configuration.yaml`:",
            language="yaml",
            settings={
                FILE: f"""\
notify:
  - platform: rest
    name: sms
    resource: {GATEWAY}/sms
    method: POST_JSON
    headers:
      X-API-Key: {KEY}
    message_param_name: text
    target_param_name: to
"""
            },
            build=_notify_rest,
        ),
        Way(
            title="notify, platform rest, as it is without a method",
            dialect="generic",
            where="`configuration.yaml`:",
            language="yaml",
            settings={
                FILE: f"""\
notify:
  - platform: rest
    name: sms
    resource: {GATEWAY}/sms
    headers:
      X-API-Key: {KEY}
    target_param_name: to
"""
            },
            build=_notify_rest_by_get,
        ),
        Way(
            title="rest_command",
            dialect="generic",
            where="`configuration.yaml`; the action is `rest_command.sms` with `to` and `text`:",
            language="yaml",
            settings={
                FILE: f"""\
rest_command:
  sms:
    url: {GATEWAY}/sms
    method: post
    content_type: application/json
    headers:
      X-API-Key: {KEY}
    payload: '{{"to": "{{{{ to }}}}", "text": {{{{ text | to_json }}}}}}'
"""
            },
            build=_rest_command,
        ),
        Way(
            title="the integration twilio_sms",
            dialect="twilio",
            stand_in=True,
            where="`configuration.yaml`:",
            language="yaml",
            settings={
                FILE: f"""\
twilio:
  account_sid: {ACCOUNT}
  auth_token: {KEY}
notify:
  - platform: twilio_sms
    name: sms
    from_number: "{SIM}"
"""
            },
            build=_twilio_sms,
            succeeds=has_sid,
        ),
        Way(
            title="the integration ha-smsgateway (HACS), in its local mode",
            dialect="smsgate",
            where="*Settings*, *Devices & services*, *Add integration*, *SMS Gateway*:",
            settings={
                "Host": "sms.example.org",
                "Port": "8080",
                "Username": ORG,
                "Password": KEY,
            },
            build=_smsgate,
            succeeds=_has_state,
            scopes=("send", "read", "manage"),
            note="It registers webhooks of its own, hence the further scopes of the key.",
        ),
        Way(
            title="the integration textbee (HACS)",
            dialect="generic",
            where="*Settings*, *Devices & services*, *Add integration*, *TextBee*:",
            settings={"API key": KEY, "Base URL": GATEWAY},
            build=_textbee,
            scopes=("send", "read"),
        ),
        Way(
            title="as it was set up for a gammu gateway",
            dialect="generic",
            where="`configuration.yaml`: put the gateway's address in place of the add-on's:",
            language="yaml",
            settings={
                FILE: f"""\
notify:
  - platform: rest
    name: sms
    resource: {GATEWAY}/sms
    method: POST_JSON
    authentication: basic
    username: {ORG}
    password: {KEY}
    message_param_name: message
    target_param_name: number
"""
            },
            build=_gammu,
        ),
    ),
)


def _n8n_http(settings: Settings, message: Message) -> list[Request]:
    marks = {
        "{{ $json.to }}": message.to,
        "{{ JSON.stringify($json.text) }}": json.dumps(message.text),
    }
    body = filled(settings["JSON"], marks).encode()
    name, _, value = settings["Header Auth"].partition(": ")
    return [Request(url=settings["URL"], headers={name: value, "Content-Type": JSON}, body=body)]


def _n8n_twilio(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Auth Token"]
    return [
        # The test of the credential.
        Request(
            method="GET",
            url=f"{TWILIO}/2010-04-01/Accounts/{account}.json",
            headers={"Authorization": basic(account, token)},
        ),
        twilio_create(account, token, From=settings["From"], To=settings["To"], Body=message.text),
    ]


N8N = Program(
    name="n8n",
    ways=(
        Way(
            title="node HTTP Request",
            dialect="generic",
            where="Node *HTTP Request*: method POST, *Send Body*, JSON, *Using JSON*; a "
            "credential *Header Auth*:",
            settings={
                "URL": f"{GATEWAY}/sms",
                "Header Auth": f"X-API-Key: {KEY}",
                "JSON": '{"to": "{{ $json.to }}", "text": {{ JSON.stringify($json.text) }}}',
            },
            build=_n8n_http,
        ),
        Way(
            title="node Twilio",
            dialect="twilio",
            stand_in=True,
            where="A credential *Twilio account* with *Auth Type* Auth Token, and the node "
            "*Twilio*, *Send an SMS*:",
            settings={"Account SID": ACCOUNT, "Auth Token": KEY, "From": SIM, "To": TO},
            build=_n8n_twilio,
            succeeds=has_sid,
            scopes=("send", "read"),
            note="Its *Twilio Trigger* uses another host of Twilio's and does not work; what "
            "comes in: [docs/events.md](events.md#n8n).",
        ),
    ),
)


def _node_red(settings: Settings, message: Message) -> list[Request]:
    script = settings[FILE]
    (address,) = re.findall(r"msg\.url = '([^']+)'", script)
    (key,) = re.findall(r"'X-API-Key': '([^']+)'", script)
    assert "{ to: msg.topic, text: msg.payload }" in script
    return [post_json(address, {"to": message.to, "text": message.text}, {"X-API-Key": key})]


NODE_RED = Program(
    name="Node-RED",
    ways=(
        Way(
            dialect="generic",
            where="A *function* node before an *http request* node whose *Method* is `- set by "
            "msg.method -`. "
            "The number is `msg.topic`, the text `msg.payload`:",
            language="js",
            settings={
                FILE: f"""\
msg.url = '{GATEWAY}/sms';
msg.method = 'POST';
msg.headers = {{ 'X-API-Key': '{KEY}' }};
msg.payload = {{ to: msg.topic, text: msg.payload }};
return msg;
"""
            },
            build=_node_red,
            note="What comes in: [docs/events.md](events.md#node-red).",
        ),
    ),
)


def _panel(settings: Settings, message: Message) -> list[Request]:
    marks = {"{number}": quote_plus(message.to), "{text}": quote_plus(message.text)}
    return [Request(method="GET", url=filled(settings["URL"], marks))]


def _says_ok(answer: Answer) -> bool:
    return answer.ok and b"OK" in answer.body


PANELS = Program(
    name="Any program with an HTTP SMS gateway",
    note="Airlock IAM, OneSpan, Adaxes, DIGIT, panels of hospitals and shops: one address with "
    "marks for number and text, often with a pattern of success. "
    "Write the marks as the program does. With `&responsetype=text` the answer is `OK; ID=7`, "
    "or `ERROR: …` with a status of 400 and more.",
    ways=(
        Way(
            dialect="generic",
            where="Where it asks for the URL:",
            settings={
                "URL": f"{GATEWAY}/sms?key={KEY}&to={{number}}&text={{text}}",
                "Success": "OK",
            },
            build=_panel,
            succeeds=_says_ok,
        ),
    ),
)


def _of_traccar(settings: Settings) -> Mapping[str, str]:
    entries = re.findall(r"<entry key='([^']+)'>(.*)</entry>", settings[FILE])
    return {name: value.replace("&amp;", "&") for name, value in entries}


def _traccar(settings: Settings, message: Message) -> list[Request]:
    given = _of_traccar(settings)
    marks = {"{phone}": message.to, "{message}": json.dumps(message.text)[1:-1]}
    body = filled(given["sms.http.template"], marks).encode()
    headers = {
        given["sms.http.authorizationHeader"]: given["sms.http.authorization"],
        "Content-Type": f"{JSON};charset=UTF-8",
    }
    return [Request(url=given["sms.http.url"], headers=headers, body=body)]


def _traccar_form(settings: Settings, message: Message) -> list[Request]:
    given = _of_traccar(settings)
    marks = {"{phone}": quote_plus(message.to), "{message}": quote_plus(message.text)}
    body = filled(given["sms.http.template"], marks).encode()
    user, password = given["sms.http.user"], given["sms.http.password"]
    headers = {"Authorization": basic(user, password), "Content-Type": f"{FORM};charset=UTF-8"}
    return [Request(url=given["sms.http.url"], headers=headers, body=body)]


TRACCAR = Program(
    name="Traccar",
    note="In `conf/traccar.xml`; then restart it, and enter a number in *Settings*, *Account*, "
    "*Phone*.",
    ways=(
        Way(
            title="JSON",
            dialect="generic",
            where="Within `<properties>`:",
            language="xml",
            settings={
                FILE: f"""\
<entry key='notificator.types'>web,sms</entry>
<entry key='sms.http.url'>{GATEWAY}/sms</entry>
<entry key='sms.http.authorizationHeader'>X-API-Key</entry>
<entry key='sms.http.authorization'>{KEY}</entry>
<entry key='sms.http.template'>{{"to": "{{phone}}", "text": "{{message}}"}}</entry>
"""
            },
            build=_traccar,
        ),
        Way(
            title="form",
            dialect="generic",
            where="Within `<properties>`:",
            language="xml",
            settings={
                FILE: f"""\
<entry key='notificator.types'>web,sms</entry>
<entry key='sms.http.url'>{GATEWAY}/sms</entry>
<entry key='sms.http.user'>{ORG}</entry>
<entry key='sms.http.password'>{KEY}</entry>
<entry key='sms.http.template'>to={{phone}}&amp;text={{message}}</entry>
"""
            },
            build=_traccar_form,
        ),
    ),
)


def _sms_gate_app(settings: Settings, message: Message) -> list[Request]:
    given = of_environment(settings)
    shown = {"Authorization": basic(given["SMS_GATEWAY_USERNAME"], given["SMS_GATEWAY_PASSWORD"])}
    content = {"textMessage": {"text": message.text}, "phoneNumbers": [message.to]}
    return [post_json(f"{given['SMS_GATEWAY_URL']}/messages", content, shown)]


SMS_GATE = Program(
    name="Programs for SMS Gateway for Android",
    note="calrs and many others call `https://api.sms-gate.app/3rdparty/v1`, and have a "
    "setting for it. The official clients for Python, Go, PHP and JavaScript "
    "take it as their base URL. Names of variables differ; these are examples.",
    ways=(
        Way(
            dialect="smsgate",
            where="The program's environment:",
            language="text",
            settings={
                FILE: f"""\
SMS_GATEWAY_URL={GATEWAY}/api/3rdparty/v1
SMS_GATEWAY_USERNAME={ORG}
SMS_GATEWAY_PASSWORD={KEY}
"""
            },
            build=_sms_gate_app,
            succeeds=_has_state,
            scopes=("send", "read"),
        ),
    ),
)


def _own_app(settings: Settings, message: Message) -> list[Request]:
    given = of_environment(settings)
    account, token = given["TWILIO_ACCOUNT_SID"], given["TWILIO_AUTH_TOKEN"]
    url = f"{given['TWILIO_API_BASE_URL']}/2010-04-01/Accounts/{account}/Messages.json"
    fields = {"To": message.to, "From": given["TWILIO_FROM_NUMBER"], "Body": message.text}
    return [post_form(url, fields, {"Authorization": basic(account, token)})]


OWN_APPS = Program(
    name="Programs with Twilio's API and a base URL",
    note="pipecat, Verboice and apps of your own that let you choose the host: no certificate "
    "is needed. Names of variables differ; these are examples.",
    ways=(
        Way(
            dialect="twilio",
            where="The program's environment:",
            language="text",
            settings={
                FILE: f"""\
TWILIO_API_BASE_URL={GATEWAY}
TWILIO_ACCOUNT_SID={ACCOUNT}
TWILIO_AUTH_TOKEN={KEY}
TWILIO_FROM_NUMBER={SIM}
"""
            },
            build=_own_app,
            succeeds=has_sid,
        ),
    ),
)

PROGRAMS = (HOME_ASSISTANT, N8N, NODE_RED, PANELS, TRACCAR, SMS_GATE, OWN_APPS)
