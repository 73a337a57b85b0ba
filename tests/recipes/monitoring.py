"""Recipes of programs that watch others: alerts."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.recipes.recipe import (
    ACCOUNT,
    FILE,
    GATEWAY,
    HOOK,
    JSON,
    KEY,
    ORG,
    SIM,
    TO,
    Answer,
    Message,
    Program,
    Request,
    Settings,
    Way,
    begins_ok,
    filled,
    get,
    has_sid,
    headers_of,
    of_environment,
    of_yaml,
    post_form,
    post_json,
    query_of,
    twilio_create,
)


def alertmanager_alerts(text: str) -> dict[str, Any]:
    """What Alertmanager posts, and Grafana nearly so."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Backup", "instance": "nas"},
        "annotations": {"summary": text},
        "startsAt": "2026-11-30T05:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "b3b5f7d1a2c4e6f8",
    }
    return {
        "version": "4",
        "groupKey": '{}:{alertname="Backup"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "sms",
        "groupLabels": {"alertname": "Backup"},
        "commonLabels": {"alertname": "Backup", "instance": "nas"},
        "commonAnnotations": {"summary": text},
        "externalURL": "http://alertmanager:9093",
        "alerts": [alert],
    }


def _alertmanager_payload(settings: Settings, message: Message) -> list[Request]:
    (config,) = of_yaml(settings)["receivers"][0]["webhook_configs"]
    payload = {
        name: value.replace("{{ .CommonAnnotations.summary }}", message.text)
        for name, value in config["payload"].items()
    }
    credentials = config["http_config"]["authorization"]["credentials"]
    return [post_json(config["url"], payload, {"Authorization": f"Bearer {credentials}"})]


def _alertmanager_hook(settings: Settings, message: Message) -> list[Request]:
    (config,) = of_yaml(settings)["receivers"][0]["webhook_configs"]
    return [post_json(config["url"], alertmanager_alerts(message.text))]


ALERTMANAGER = Program(
    name="Alertmanager",
    ways=(
        Way(
            title="from 0.32",
            dialect="generic",
            where="`alertmanager.yml`, then `kill -HUP` it:",
            language="yaml",
            settings={
                FILE: f"""\
receivers:
  - name: sms
    webhook_configs:
      - url: {GATEWAY}/sms
        http_config:
          authorization:
            credentials: {KEY}
        payload:
          to: "{TO}"
          text: "{{{{ .CommonAnnotations.summary }}}}"
"""
            },
            build=_alertmanager_payload,
        ),
        Way(
            title="any version, all alerts of a group in one SMS",
            dialect="hooks",
            hook="alertmanager",
            where="`alertmanager.yml`:",
            language="yaml",
            settings={
                FILE: f"""\
receivers:
  - name: sms
    webhook_configs:
      - url: {HOOK}
"""
            },
            build=_alertmanager_hook,
            text="FIRING: Backup\nBackup of nas failed",
        ),
    ),
)


def _apprise(kind: str) -> Any:
    def build(settings: Settings, message: Message) -> list[Request]:
        url = settings["URL"].replace(f"{kind}://", "http://")
        given = query_of(url)
        headers = {name[1:]: value for name, value in given.items() if name.startswith(" ")}
        # A plus in a query is a space, also to Apprise.
        headers |= {name[1:]: value for name, value in given.items() if name.startswith("+")}
        content = {
            "version": "1.0",
            "title": "",
            "message": message.text,
            "type": "info",
            **{name[1:]: value for name, value in given.items() if name.startswith(":")},
        }
        if kind == "json":
            return [post_json(url.partition("?")[0], {**content, "attachments": []}, headers)]
        return [post_form(url.partition("?")[0], content, headers)]

    return build


def _apprise_smseagle(settings: Settings, message: Message) -> list[Request]:
    token, _, rest = settings["URL"].removeprefix("smseagle://").partition("@")
    host, _, to = rest.partition("/")
    content = {
        "method": "sms.send_sms",
        "params": {
            "access_token": token,
            "to": to,
            "message": message.text,
            "message_type": "sms",
            "responsetype": "extended",
            "highpriority": 0,
            "unicode": 1,
            "flash": 0,
            "test": 0,
        },
    }
    return [post_json(f"http://{host}/jsonrpc/sms", content)]


def _apprise_twilio(settings: Settings, message: Message) -> list[Request]:
    account, rest = settings["URL"].removeprefix("twilio://").split(":", 1)
    token, rest = rest.split("@", 1)
    sender, to = rest.split("/")
    fields = {"From": f"+{sender}", "To": f"+{to}", "Body": message.text}
    return [twilio_create(account, token, **fields)]


def _rpc_ok(answer: Answer) -> bool:
    result = answer.json["result"]
    results = result if isinstance(result, list) else [result]
    return answer.ok and all(one["status"] == "ok" for one in results)


APPRISE = Program(
    name="Apprise",
    note="Also within Uptime Kuma, healthchecks and many others, which take such a URL. All of "
    "these were run with Apprise itself.",
    ways=(
        Way(
            title="JSON",
            dialect="generic",
            where="The URL of the notification:",
            settings={
                "URL": f"json://{GATEWAY[7:]}/sms?+X-API-Key={KEY}&:to={quote(TO)}",
            },
            build=_apprise("json"),
            note="`jsons://` for HTTPS. A title stands before the text, in a line of its own.",
        ),
        Way(
            title="form",
            dialect="generic",
            where="The URL of the notification:",
            settings={"URL": f"form://{GATEWAY[7:]}/sms?+X-API-Key={KEY}&:to={quote(TO)}"},
            build=_apprise("form"),
        ),
        Way(
            title="SMSEagle",
            dialect="smseagle",
            where="The URL of the notification, with as many numbers as you like behind the host:",
            settings={"URL": f"smseagle://{KEY}@{GATEWAY[7:]}/{TO}"},
            build=_apprise_smseagle,
            succeeds=_rpc_ok,
        ),
        Way(
            title="Twilio",
            dialect="twilio",
            stand_in=True,
            where="The URL of the notification. Leave out the two `_` of the key, since Apprise "
            "takes letters and digits alone there:",
            settings={"URL": f"twilio://{ACCOUNT}:{KEY}@{SIM[1:]}/{TO[1:]}"},
            build=_apprise_twilio,
            succeeds=has_sid,
        ),
    ),
)


def _grafana(settings: Settings, message: Message) -> list[Request]:
    content = {
        **alertmanager_alerts(message.text),
        "version": "1",
        "orgId": 1,
        "state": "alerting",
        "title": "[FIRING:1] Backup",
        "message": "**Firing**",
    }
    return [post_json(settings["URL"], content)]


GRAFANA = Program(
    name="Grafana",
    ways=(
        Way(
            dialect="hooks",
            hook="grafana",
            where="*Alerting*, *Contact points*, *Add contact point*, integration *Webhook*:",
            settings={"URL": HOOK},
            build=_grafana,
            text="[FIRING:1] Backup\nBackup of nas failed",
            note="*Test* there sends one. A secret of *HMAC Signature* can be entered at the "
            "hook, too.",
        ),
    ),
)


def _healthchecks(settings: Settings, message: Message) -> list[Request]:
    given = of_environment(settings)
    fields = {"To": message.to, "From": given["TWILIO_FROM"], "Body": message.text}
    return [twilio_create(given["TWILIO_ACCOUNT"], given["TWILIO_AUTH"], **fields)]


HEALTHCHECKS = Program(
    name="healthchecks",
    ways=(
        Way(
            dialect="twilio",
            stand_in=True,
            where="The environment of the server, then *Integrations*, *SMS* in a project:",
            language="text",
            settings={
                FILE: f"TWILIO_ACCOUNT={ACCOUNT}\nTWILIO_AUTH={KEY}\nTWILIO_FROM={SIM}\n",
            },
            build=_healthchecks,
            note="It uses curl: have its container's system trust the authority.",
        ),
    ),
)


def _librenms_api(settings: Settings, message: Message) -> list[Request]:
    host = settings["API URL"].partition("?")[0]
    query = headers_of(settings["Options"], "=")
    headers = headers_of(settings["headers"], "=")
    body = filled(settings["body"], {"{{ $title }}": message.text}).encode()
    url = f"{host}?{urlencode(query)}"
    return [Request(url=url, headers={"Content-Type": "text/plain", **headers}, body=body)]


def _librenms_smseagle(settings: Settings, message: Message) -> list[Request]:
    query = {
        "login": settings["User"],
        "pass": settings["Password"],
        "to": settings["Mobiles"],
        "message": message.text,
    }
    return [get(f"{settings['SMSEagle Base URL']}/index.php/http_api/send_sms", query)]


def _librenms_playsms(settings: Settings, message: Message) -> list[Request]:
    query = {
        "u": settings["User"],
        "h": settings["Token"],
        "to": settings["Mobiles"],
        "msg": message.text,
    }
    return [Request(method="GET", url=f"{settings['PlaySMS URL']}&op=pv&{urlencode(query)}")]


def _librenms_twilio(settings: Settings, message: Message) -> list[Request]:
    fields = {
        "From": settings["Twilio Sender"],
        "Body": message.text,
        "To": settings["Mobiles"],
    }
    return [twilio_create(settings["SID"], settings["Token"], **fields)]


LIBRENMS = Program(
    name="LibreNMS",
    note="*Alerts*, *Alert Transports*, *Create alert transport*.",
    ways=(
        Way(
            title="transport type SMSEagle",
            dialect="smseagle",
            where="Transport type *SMSEagle*:",
            settings={
                "SMSEagle Base URL": GATEWAY,
                "User": ORG,
                "Password": KEY,
                "Mobiles": TO,
            },
            build=_librenms_smseagle,
            succeeds=begins_ok,
        ),
        Way(
            title="transport type API",
            dialect="generic",
            where="Transport type *API*, *API Method* POST:",
            settings={
                "API URL": f"{GATEWAY}/sms",
                "Options": f"to={TO}",
                "headers": f"X-API-Key={KEY}",
                "body": "{{ $title }}",
            },
            build=_librenms_api,
            note="What stands behind a `?` in the URL is dropped there, so the number is an "
            "option.",
        ),
        Way(
            title="transport type playSMS",
            dialect="playsms",
            where="Transport type *PlaySMS*. The URL has to hold a `?`:",
            settings={
                "PlaySMS URL": f"{GATEWAY}/playsms?app=ws",
                "User": ORG,
                "Token": KEY,
                "Mobiles": TO,
            },
            build=_librenms_playsms,
        ),
        Way(
            title="transport type Twilio",
            dialect="twilio",
            stand_in=True,
            where="Transport type *Twilio SMS*:",
            settings={"SID": ACCOUNT, "Token": KEY, "Mobiles": TO, "Twilio Sender": SIM},
            build=_librenms_twilio,
            succeeds=has_sid,
        ),
    ),
)


def _kuma_gateway(settings: Settings, message: Message) -> list[Request]:
    url = f"{settings['Server URL']}/api/v1/sms/send"
    content = {"to": settings["Phone Number(s)"], "body": message.text}
    return [post_json(url, content, {"X-API-Key": settings["API Key"]})]


def _kuma_webhook(settings: Settings, message: Message) -> list[Request]:
    body = filled(settings["Custom Body"], {"{{ msg | json }}": json.dumps(message.text)})
    headers = json.loads(settings["Additional Headers"])
    return [Request(url=settings["Post URL"], headers=headers, body=body.encode())]


def _kuma_smseagle_1(settings: Settings, message: Message) -> list[Request]:
    query = {
        "access_token": settings["API Access token"],
        "to": settings["Recipient(s)"],
        "message": message.text,
        "duration": "undefined",
    }
    return [get(f"{settings['Your SMSEagle device URL']}/http_api/send_sms", query)]


def _kuma_smseagle_2(settings: Settings, message: Message) -> list[Request]:
    content = {
        "text": message.text,
        "encoding": "standard",
        "priority": 0,
        "to": settings["Recipient(s)"].split(","),
    }
    headers = {"access-token": settings["API Access token"]}
    url = f"{settings['Your SMSEagle device URL']}/api/v2/messages/sms"
    return [post_json(url, content, headers)]


def _kuma_twilio(settings: Settings, message: Message) -> list[Request]:
    fields = {"To": settings["To Number"], "From": settings["From Number"], "Body": message.text}
    return [
        twilio_create(settings["Account SID"], settings["Auth Token / Api Key Secret"], **fields)
    ]


def _kuma_teltonika(settings: Settings, message: Message) -> list[Request]:
    url = settings["Your Teltonika device URL"]
    login = {"username": settings["API username"], "password": settings["API password"]}
    content = {
        "modem": settings["Modem Id"],
        "number": settings["Phone number"],
        "message": message.text[:159],
    }
    # The token that the first gives is what was entered as password.
    shown = {"Authorization": f"Bearer {settings['API password']}", "Accept": JSON}
    return [
        post_json(f"{url}/api/login", login, {"Accept": JSON}),
        post_json(f"{url}/api/messages/actions/send", {"data": content}, shown),
    ]


def _succeeded(answer: Answer) -> bool:
    return answer.ok and answer.json["success"] is True


def _not_failed(answer: Answer) -> bool:
    return answer.ok and answer.json["status"] != "failed"


def _queued(answer: Answer) -> bool:
    return answer.ok and any(one["status"] == "queued" for one in answer.json)


KUMA = Program(
    name="Uptime Kuma",
    note="*Settings*, *Notifications*, *Setup Notification*. *Test* there sends one.",
    ways=(
        Way(
            title="type SMSGateway, from 2.5.1",
            dialect="generic",
            where="Notification type *SMSGateway*:",
            settings={"Server URL": GATEWAY, "API Key": KEY, "Phone Number(s)": TO},
            build=_kuma_gateway,
            succeeds=_not_failed,
        ),
        Way(
            title="type SMSEagle with APIv1",
            dialect="smseagle",
            where="Notification type *SMSEagle*, *API version* APIv1, *Recipient type* Phone "
            "number(s):",
            settings={
                "Your SMSEagle device URL": GATEWAY,
                "API Access token": KEY,
                "Recipient(s)": TO,
            },
            build=_kuma_smseagle_1,
            succeeds=begins_ok,
        ),
        Way(
            title="type SMSEagle with APIv2",
            dialect="smseagle",
            where="Notification type *SMSEagle*, *API version* APIv2, *Recipient type* Phone "
            "number(s):",
            settings={
                "Your SMSEagle device URL": GATEWAY,
                "API Access token": KEY,
                "Recipient(s)": TO,
            },
            build=_kuma_smseagle_2,
            succeeds=_queued,
        ),
        Way(
            title="type Teltonika",
            dialect="generic",
            where="Notification type *Teltonika*:",
            settings={
                "Your Teltonika device URL": GATEWAY,
                "API username": ORG,
                "API password": KEY,
                "Modem Id": "1-1",
                "Phone number": TO,
            },
            build=_kuma_teltonika,
            succeeds=_succeeded,
            note="Any modem stands for any SIM.",
        ),
        Way(
            title="type Webhook",
            dialect="generic",
            where="Notification type *Webhook*, *Request Body* Custom Body:",
            settings={
                "Post URL": f"{GATEWAY}/sms",
                "Custom Body": f'{{"to": "{TO}", "text": {{{{ msg | json }}}}}}',
                "Additional Headers": f'{{"X-API-Key": "{KEY}", "Content-Type": "{JSON}"}}',
            },
            build=_kuma_webhook,
        ),
        Way(
            title="type Twilio",
            dialect="twilio",
            stand_in=True,
            where="Notification type *Twilio*:",
            settings={
                "Account SID": ACCOUNT,
                "Auth Token / Api Key Secret": KEY,
                "From Number": SIM,
                "To Number": TO,
            },
            build=_kuma_twilio,
            succeeds=has_sid,
        ),
    ),
)


def _zabbix_smseagle(settings: Settings, message: Message) -> list[Request]:
    pairs = {
        "message": message.text,
        "access_token": settings["access_token"],
        "url": settings["url"],
        "recipient": settings["Send to"],
        "to": settings["Send to"],
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
    url = f"{settings['url']}/http_api/send_sms?{query}"
    return [Request(method="GET", url=url, headers={"Content-Type": "multipart/form-data"})]


def _zabbix_brevis(settings: Settings, message: Message) -> list[Request]:
    pairs = {
        "username": settings["username"],
        "password": settings["password"],
        "text": message.text,
        "to": settings["Send to"],
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
    url = f"{settings['endpoint']}?{query}"
    return [Request(url=url, headers={"Content-Type": "multipart/form-data"}, body=b"")]


def _zabbix_script(settings: Settings, message: Message) -> list[Request]:
    script = settings[FILE]
    (url,) = [line for line in script.splitlines() if "post(" in line]
    address = url.split("'")[1]
    (header,) = [line for line in script.splitlines() if "X-API-Key" in line]
    key = header.split("'")[1].partition(": ")[2]
    assert "to: given.to, text: given.text" in script
    content = {"to": message.to, "text": message.text}
    return [post_json(address, content, {"X-API-Key": key})]


ZABBIX = Program(
    name="Zabbix",
    note="*Alerts*, *Media types*; then give a user that medium, with the number as *Send to*.",
    ways=(
        Way(
            title="media type SMSEagle",
            dialect="smseagle",
            where="Media type *SMSEagle* (import it from Zabbix's `templates/media/smseagle`):",
            settings={"url": GATEWAY, "access_token": KEY, "Send to": TO},
            build=_zabbix_smseagle,
        ),
        Way(
            title="media type brevis.one",
            dialect="generic",
            where="Media type *Brevis.one*, which comes with Zabbix:",
            settings={
                "endpoint": f"{GATEWAY}/sms",
                "username": ORG,
                "password": KEY,
                "Send to": TO,
            },
            build=_zabbix_brevis,
        ),
        Way(
            title="a media type of your own",
            dialect="generic",
            where="*Create media type*, type *Webhook*, parameters `to` = `{ALERT.SENDTO}` and "
            "`text` = `{ALERT.SUBJECT}`:",
            language="js",
            settings={
                FILE: f"""\
var given = JSON.parse(value), request = new HttpRequest();
request.addHeader('Content-Type: application/json');
request.addHeader('X-API-Key: {KEY}');
var answer = request.post('{GATEWAY}/sms', JSON.stringify({{to: given.to, text: given.text}}));
if (request.getStatus() !== 200) throw answer;
return 'OK';
"""
            },
            build=_zabbix_script,
        ),
    ),
)

PROGRAMS = (ALERTMANAGER, APPRISE, GRAFANA, HEALTHCHECKS, LIBRENMS, KUMA, ZABBIX)
