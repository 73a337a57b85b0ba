"""Recipes of programs that people sign in by: codes."""

import json
import re

from tests.recipes.recipe import (
    ACCOUNT,
    FILE,
    GATEWAY,
    HOOK,
    JSON,
    KEY,
    ORG,
    SIM,
    Answer,
    Message,
    Program,
    Request,
    Settings,
    Way,
    basic,
    get,
    has_sid,
    of_environment,
    of_yaml,
    post_form,
    post_json,
    twilio_create,
)


def _authentik(settings: Settings, message: Message) -> list[Request]:
    content = {
        "From": settings["From number"],
        "To": message.to,
        "Body": "123456",
        "Message": message.text,
    }
    shown = {"Authorization": f"Bearer {settings['API Auth Token']}"}
    return [post_json(settings["External API URL"], content, shown)]


def _authentik_twilio(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Twilio Account SID"], settings["Twilio Auth Token"]
    sender = settings["From number"]
    return [twilio_create(account, token, To=message.to, From=sender, Body=message.text)]


def _below_400(answer: Answer) -> bool:
    return answer.status < 400


AUTHENTIK = Program(
    name="authentik",
    note="*Flows and Stages*, *Stages*, *SMS Authenticator Setup Stage*.",
    ways=(
        Way(
            title="provider Generic",
            dialect="generic",
            where="Provider *Generic*, *Authentication Type* Bearer Token:",
            settings={
                "From number": "authentik",
                "External API URL": f"{GATEWAY}/sms",
                "API Auth Token": KEY,
            },
            build=_authentik,
            succeeds=_below_400,
            note="The whole sentence is sent, not the bare code that stands beside it.",
        ),
        Way(
            title="provider Twilio",
            dialect="twilio",
            stand_in=True,
            where="Provider *Twilio*:",
            settings={
                "From number": SIM,
                "Twilio Account SID": ACCOUNT,
                "Twilio Auth Token": KEY,
            },
            build=_authentik_twilio,
            succeeds=has_sid,
        ),
    ),
)


def _authgear(settings: Settings, message: Message) -> list[Request]:
    content = {"to": message.to, "body": message.text}
    return [post_json(settings["Webhook URL"], content, {"X-Authgear-Body-Signature": "0" * 64})]


AUTHGEAR = Program(
    name="authgear",
    ways=(
        Way(
            dialect="generic",
            where="*Advanced*, *SMS Gateway*, *Webhook*. It knows no header for a key, so the key "
            "stands in the address:",
            settings={"Webhook URL": f"{GATEWAY}/sms?key={KEY}"},
            build=_authgear,
        ),
    ),
)


def _keycloak(settings: Settings) -> str:
    return settings["API URL"]


def _keycloak_form(settings: Settings, message: Message) -> list[Request]:
    form = {
        settings["Message attribute"]: message.text,
        settings["Receiver attribute"]: message.to,
        settings["Sender attribute"]: settings["SenderId"],
    }
    shown = {"Authorization": basic(settings["API user"], settings["API secret"])}
    return [post_form(_keycloak(settings), form, shown)]


def _keycloak_json(settings: Settings, message: Message) -> list[Request]:
    # Nothing is escaped.
    body = (
        f'{{"{settings["Message attribute"]}":"{message.text}",'
        f'"{settings["Receiver attribute"]}":"{message.to}",'
        f'"{settings["Sender attribute"]}":"{settings["SenderId"]}"}}'
    ).encode()
    shown = {"Authorization": basic(settings["API user"], settings["API secret"])}
    return [Request(url=_keycloak(settings), headers={"Content-Type": JSON, **shown}, body=body)]


def _keycloak_settings(urlencode: str) -> dict[str, str]:
    return {
        "API URL": f"{GATEWAY}/sms",
        "URL encode data": urlencode,
        "API user": ORG,
        "API secret": KEY,
        "Message attribute": "text",
        "Receiver attribute": "to",
        "Sender attribute": "from",
        "SenderId": "Keycloak",
    }


KEYCLOAK = Program(
    name="Keycloak",
    note="With the plugin netzbegruenung/keycloak-mfa-plugins: the configuration of the step "
    "*SMS Authentication (2FA)* in the flow *browser*. It logs failures alone: look there.",
    ways=(
        Way(
            title="form",
            dialect="generic",
            where="The step's configuration:",
            settings=_keycloak_settings("on"),
            build=_keycloak_form,
        ),
        Way(
            title="JSON",
            dialect="generic",
            where="The step's configuration:",
            settings=_keycloak_settings("off"),
            build=_keycloak_json,
            note="The plugin does not escape a text in JSON: line ends are understood, but "
            "quotes need the form.",
        ),
    ),
)


def _kratos(settings: Settings, message: Message) -> list[Request]:
    text, _, jsonnet = settings[FILE].partition("# sms.jsonnet\n")
    (channel,) = of_yaml({FILE: text})["courier"]["channels"]
    config = channel["request_config"]
    assert channel["type"] == "http"
    given = {"ctx.recipient": message.to, "ctx.body": message.text}
    content = {name: given[value] for name, value in re.findall(r"(\w+): (ctx\.\w+)", jsonnet)}
    auth = config["auth"]["config"]
    return [post_json(config["url"], content, {auth["name"]: auth["value"]})]


KRATOS = Program(
    name="Ory Kratos",
    ways=(
        Way(
            dialect="generic",
            where="`kratos.yml`, and the file that it names:",
            language="yaml",
            settings={
                FILE: f"""\
courier:
  channels:
    - id: sms
      type: http
      request_config:
        url: {GATEWAY}/sms
        method: POST
        body: file:///etc/kratos/sms.jsonnet
        auth:
          type: api_key
          config:
            in: header
            name: X-API-Key
            value: {KEY}
# sms.jsonnet
# function(ctx) {{ to: ctx.recipient, text: ctx.body }}
"""
            },
            build=_kratos,
        ),
    ),
)


def _logto(settings: Settings, message: Message) -> list[Request]:
    content = {"to": message.to.removeprefix("+"), "type": "SignIn", "payload": {"code": "561166"}}
    return [post_json(settings["endpoint"], content)]


def _logto_twilio(settings: Settings, message: Message) -> list[Request]:
    given = json.loads(settings[FILE])
    fields = {
        "To": message.to,
        "MessagingServiceSid": given["fromMessagingServiceSID"],
        "Body": message.text,
        "RiskCheck": "enable",
    }
    return [twilio_create(given["accountSID"], given["authToken"], **fields)]


LOGTO = Program(
    name="Logto",
    note="*Connectors*, *Email and SMS connectors*.",
    ways=(
        Way(
            title="HTTP SMS",
            dialect="hooks",
            hook="logto",
            where="*HTTP SMS*:",
            settings={"endpoint": HOOK},
            build=_logto,
            text="Your code to sign in is 561166",
        ),
        Way(
            title="Twilio",
            dialect="twilio",
            stand_in=True,
            where="*Twilio SMS Service*:",
            language="json",
            settings={
                FILE: f"""\
{{
  "accountSID": "{ACCOUNT}",
  "authToken": "{KEY}",
  "fromMessagingServiceSID": "MG00000000000000000000000000000000"
}}
"""
            },
            build=_logto_twilio,
            succeeds=has_sid,
            note="The messaging service stands for any SIM of the org.",
        ),
    ),
)


def _nextcloud(settings: Settings, message: Message) -> list[Request]:
    query = {
        "app": "ws",
        "u": settings["username"],
        "h": settings["password"],
        "op": "pv",
        "to": message.to,
        "msg": message.text,
    }
    return [get(settings["URL"], query)]


NEXTCLOUD = Program(
    name="Nextcloud",
    note="The app *Two-Factor Gateway*.",
    ways=(
        Way(
            title="provider PlaySMS",
            dialect="playsms",
            where="`occ twofactorauth:gateway:configure sms`, provider *playsms*, and its "
            "questions:",
            settings={"URL": f"{GATEWAY}/playsms", "username": ORG, "password": KEY},
            build=_nextcloud,
            note="`occ twofactorauth:gateway:test sms USER +15553334444` sends one.",
        ),
    ),
)


def _supabase(settings: Settings, message: Message) -> list[Request]:
    content = {
        "user": {"id": "6481a5c1-3d37-4a56-9f6a-bee08c554965", "phone": message.to[1:]},
        "sms": {"otp": "561166", "phone": message.to[1:]},
    }
    return [post_json(of_environment(settings)["GOTRUE_HOOK_SEND_SMS_URI"], content)]


def _supabase_twilio(settings: Settings, message: Message) -> list[Request]:
    given = of_environment(settings)
    account = given["GOTRUE_SMS_TWILIO_ACCOUNT_SID"]
    fields = {
        "To": message.to,
        "Channel": "sms",
        "From": given["GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID"],
        "Body": message.text,
    }
    return [twilio_create(account, given["GOTRUE_SMS_TWILIO_AUTH_TOKEN"], **fields)]


def _gotrue_sent(answer: Answer) -> bool:
    code = answer.json.get("error_code")
    return has_sid(answer) and answer.status in {200, 201} and not isinstance(code, int)


SUPABASE = Program(
    name="Supabase Auth (GoTrue)",
    ways=(
        Way(
            title="hook",
            dialect="hooks",
            hook="supabase",
            where="*Authentication*, *Hooks*, *Send SMS hook*; where you host it, the "
            "environment of `auth`. The address has to be HTTPS, or at `localhost` or "
            "`host.docker.internal`:",
            language="text",
            settings={
                FILE: f"GOTRUE_HOOK_SEND_SMS_ENABLED=true\nGOTRUE_HOOK_SEND_SMS_URI={HOOK}\n",
            },
            build=_supabase,
            text="Your code is 561166",
            note="Enter `GOTRUE_HOOK_SEND_SMS_SECRETS` at the hook (verification *standard*), "
            "so that it takes calls of yours alone.",
        ),
        Way(
            title="Twilio",
            dialect="twilio",
            stand_in=True,
            where="The environment of `auth`:",
            language="text",
            settings={
                FILE: f"""\
GOTRUE_SMS_PROVIDER=twilio
GOTRUE_SMS_TWILIO_ACCOUNT_SID={ACCOUNT}
GOTRUE_SMS_TWILIO_AUTH_TOKEN={KEY}
GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID={SIM}
"""
            },
            build=_supabase_twilio,
            succeeds=_gotrue_sent,
        ),
    ),
)


def _zitadel(settings: Settings, message: Message) -> list[Request]:
    content = {
        "contextInfo": {
            "eventType": "user.human.phone.code.added",
            "recipientPhoneNumber": message.to,
        },
        "templateData": {"title": "Verify phone", "text": message.text},
        "args": {"code": "RZ4B9Q"},
    }
    return [post_json(settings["Endpoint"], content)]


ZITADEL = Program(
    name="ZITADEL",
    ways=(
        Way(
            dialect="hooks",
            hook="zitadel",
            where="*Default settings*, *SMS Provider*, *HTTP*; then activate it:",
            settings={"Endpoint": HOOK},
            build=_zitadel,
            note="Enter the signing key that it shows at the hook (verification *zitadel*).",
        ),
    ),
)

PROGRAMS = (AUTHENTIK, AUTHGEAR, KEYCLOAK, KRATOS, LOGTO, NEXTCLOUD, SUPABASE, ZITADEL)
