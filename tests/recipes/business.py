"""Recipes of programs of companies and clubs: customers, tickets, shops, newsletters."""

import json
from collections.abc import Mapping
from typing import Any

from tests.recipes.recipe import (
    ACCOUNT,
    FILE,
    FORM,
    GATEWAY,
    HOOK,
    KEY,
    ORG,
    SIM,
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
    headers_of,
    of_environment,
    post_form,
    post_json,
    twilio_create,
)


def _cal_com(settings: Settings, message: Message) -> list[Request]:
    given = of_environment(settings)
    fields = {
        "To": message.to,
        "MessagingServiceSid": given["TWILIO_MESSAGING_SID"],
        "Body": message.text,
    }
    return [twilio_create(given["TWILIO_SID"], given["TWILIO_TOKEN"], **fields)]


CAL_COM = Program(
    name="Cal.com",
    ways=(
        Way(
            dialect="twilio",
            stand_in=True,
            where="`.env`:",
            language="text",
            settings={
                FILE: f"""\
TWILIO_SID={ACCOUNT}
TWILIO_TOKEN={KEY}
TWILIO_MESSAGING_SID=MG00000000000000000000000000000000
TWILIO_PHONE_NUMBER={SIM}
"""
            },
            build=_cal_com,
            succeeds=has_sid,
            scopes=("send", "read"),
            note="Reminders of workflows are sent, planned and cancelled. That numbers are "
            "verified first is another API of Twilio's (Verify), which the gateway does "
            "not have.",
        ),
    ),
)


def _chatwoot(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Auth Token"]
    shown = {"Authorization": basic(account, token)}
    at = f"{TWILIO}/2010-04-01/Accounts/{account}"
    return [
        # When the inbox is made.
        Request(method="GET", url=f"{at}/Messages.json?PageSize=1", headers=shown),
        twilio_create(
            account, token, From=settings["Phone number"], To=message.to, Body=message.text
        ),
    ]


CHATWOOT = Program(
    name="Chatwoot",
    ways=(
        Way(
            dialect="twilio",
            stand_in=True,
            where="*Settings*, *Inboxes*, *Add Inbox*, *SMS*, *Twilio*:",
            settings={"Phone number": SIM, "Account SID": ACCOUNT, "Auth Token": KEY},
            build=_chatwoot,
            succeeds=has_sid,
            scopes=("send", "read", "manage"),
            note="It enters its own address for received SMS at the number by itself, for "
            "which the key needs *manage*.",
        ),
    ),
)


def _rows(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """The static parameters of Frappe: those of the request, and those of its head."""
    plain: dict[str, str] = {}
    heads: dict[str, str] = {}
    for row in settings["Static Parameters"].split(", "):
        name, _, value = row.partition(" = ")
        value, header, _ = value.partition(" (Header)")
        (heads if header else plain)[name] = value
    return plain, heads


def _frappe(settings: Settings, message: Message) -> list[Request]:
    plain, heads = _rows(settings)
    given = {
        settings["Message Parameter"]: message.text,
        **plain,
        settings["Receiver Parameter"]: message.to,
    }
    heads = {"Accept": "text/plain, text/html, */*", **heads}
    url = settings["SMS Gateway URL"]
    if settings.get("Use POST") == "yes":
        return [post_form(url, given, heads)]
    return [get(url, given, heads)]


def _frappe_settings(**more: str) -> dict[str, str]:
    return {
        "SMS Gateway URL": f"{GATEWAY}/sms",
        "Message Parameter": "text",
        "Receiver Parameter": "to",
        **more,
    }


FRAPPE = Program(
    name="ERPNext and Frappe",
    note="*SMS Settings*. National numbers need the org's country, see above.",
    ways=(
        Way(
            title="as it is",
            dialect="generic",
            where="*SMS Settings*:",
            settings=_frappe_settings(**{"Static Parameters": f"key = {KEY}"}),
            build=_frappe,
        ),
        Way(
            title="with the key in a header",
            dialect="generic",
            where="*SMS Settings*; tick *Use POST*, and *Header* in the row of the parameter:",
            settings=_frappe_settings(
                **{"Static Parameters": f"X-API-Key = {KEY} (Header)", "Use POST": "yes"}
            ),
            build=_frappe,
        ),
    ),
)


def _listmonk(settings: Settings, message: Message) -> list[Request]:
    subscriber = {
        "uuid": "e44b4135-1e1d-40c5-8a30-0f9a886c2884",
        "email": "anna@example.org",
        "name": "Anna",
        "attribs": {"phone": message.to},
        "status": "enabled",
    }
    content = {
        "subject": "Opening hours",
        "from_email": "news@example.org",
        "content_type": "plain",
        "body": message.text,
        "recipients": [subscriber],
        "campaign": None,
        "attachments": None,
    }
    return [post_json(settings["URL"], content)]


LISTMONK = Program(
    name="listmonk",
    ways=(
        Way(
            dialect="hooks",
            hook="listmonk",
            where="*Settings*, *Messengers*, *Add new*. Subscribers need an attribute "
            '`{"phone": "+15553334444"}`:',
            settings={"URL": HOOK},
            build=_listmonk,
            succeeds=lambda answer: answer.status == 200,
            note="User and password of the messenger can be checked (verification *basic*).",
        ),
    ),
)


def _mautic(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Auth Token"]
    sender = settings["Messaging Service SID"]
    fields = {"To": message.to, "MessagingServiceSid": sender, "Body": message.text}
    return [twilio_create(account, token, **fields)]


MAUTIC = Program(
    name="Mautic",
    ways=(
        Way(
            dialect="twilio",
            stand_in=True,
            where="*Plugins*, *Twilio*, then *Configuration*, *Text message settings*:",
            settings={
                "Account SID": ACCOUNT,
                "Auth Token": KEY,
                "Messaging Service SID": "MG00000000000000000000000000000000",
            },
            build=_mautic,
            succeeds=has_sid,
        ),
    ),
)


def _odoo(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Auth Token"]
    shown = {"Authorization": basic(account, token)}
    numbers = f"{TWILIO}/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json"
    fields = {
        "From": settings["Phone number"],
        "To": message.to,
        "Body": message.text,
        "StatusCallback": "https://odoo.example.org/sms_twilio/status/7f3c",
    }
    return [
        Request(method="GET", url=numbers, headers=shown),  # *Reload numbers*
        twilio_create(account, token, **fields),
    ]


ODOO = Program(
    name="Odoo",
    ways=(
        Way(
            dialect="twilio",
            stand_in=True,
            where="*Settings*, *General Settings*, *Contacts*, *SMS*: *Send via Twilio*, "
            "*Manage Twilio account*:",
            settings={"Account SID": ACCOUNT, "Auth Token": KEY, "Phone number": SIM},
            build=_odoo,
            succeeds=has_sid,
            scopes=("send", "read"),
            note="*Reload numbers* there lists the SIMs of your org.",
        ),
    ),
)


def _rapidpro_ex(settings: Settings, message: Message) -> list[Request]:
    marks = {"{{to}}": json.dumps(message.to), "{{text}}": json.dumps(message.text)}
    body = filled(settings["Request body"], marks).encode()
    heads = {
        "Content-Type": settings["Content Type"],
        "Authorization": settings["Authorization header value"],
    }
    return [Request(url=settings["Send URL"], headers=heads, body=body)]


def _rapidpro_kn(settings: Settings, message: Message) -> list[Request]:
    query = {
        "username": settings["Username"],
        "password": settings["Password"],
        "from": settings["Number"],
        "text": message.text,
        "to": message.to,
        "dlr-url": "https://rapidpro.example.org/c/kn/8eb23e93/status?id=1&status=%d",
        "dlr-mask": "27",
    }
    return [get(settings["Send URL"], query)]


def _rapidpro_js(settings: Settings, message: Message) -> list[Request]:
    query = {
        "username": settings["Username"],
        "password": settings["Password"],
        "from": settings["Number"][1:],
        "to": message.to[1:],
        "dlr": "yes",
        "dlr-url": "https://rapidpro.example.org/c/js/8eb23e93/status",
        "dlr-level": "2",
        "dlr-method": "POST",
        "coding": "0",
        "content": message.text,
    }
    return [get(settings["URL"], query)]


def _rapidpro_tw(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Account Token"]
    url = f"{settings['TwiML REST API Host']}/2010-04-01/Accounts/{account}/Messages.json"
    form = {
        "To": message.to,
        "Body": message.text,
        "From": settings["Number"],
        "StatusCallback": "https://rapidpro.example.org/c/tw/8eb23e93/status?id=1&action=callback",
    }
    return [
        post_form(url, form, {"Authorization": basic(account, token), "Accept": "application/json"})
    ]


def _says_ok(answer: Answer) -> bool:
    return answer.ok and b"OK" in answer.body


def _kannel_took(answer: Answer) -> bool:
    return answer.ok and answer.body.startswith((b"0: ", b"3: "))


def _jasmin_took(answer: Answer) -> bool:
    return answer.ok and answer.body.startswith(b'Success "')


RAPIDPRO = Program(
    name="RapidPro and TextIt",
    note="*Settings*, *New Channel*. What comes in is called at the address that the channel "
    "shows then: see [docs/events.md](events.md).",
    ways=(
        Way(
            title="External API (EX)",
            dialect="generic",
            where="*External API*, method POST:",
            settings={
                "Number": SIM,
                "Send URL": f"{GATEWAY}/sms",
                "Content Type": "application/json",
                "Request body": '{"to": {{to}}, "text": {{text}}}',
                "Authorization header value": f"Bearer {KEY}",
                "MT response check": "OK",
            },
            build=_rapidpro_ex,
            succeeds=_says_ok,
        ),
        Way(
            title="Kannel (KN)",
            dialect="kannel",
            where="*Kannel*:",
            settings={
                "Number": SIM,
                "Send URL": f"{GATEWAY}/cgi-bin/sendsms",
                "Username": ORG,
                "Password": KEY,
            },
            build=_rapidpro_kn,
            succeeds=_kannel_took,
        ),
        Way(
            title="Jasmin (JS)",
            dialect="jasmin",
            where="*Jasmin*:",
            settings={"Number": SIM, "URL": f"{GATEWAY}/send", "Username": ORG, "Password": KEY},
            build=_rapidpro_js,
            succeeds=_jasmin_took,
        ),
        Way(
            title="TwiML REST API (TW)",
            dialect="twilio",
            where="*TwiML Rest API*:",
            settings={
                "Number": SIM,
                "TwiML REST API Host": GATEWAY,
                "Account SID": ACCOUNT,
                "Account Token": KEY,
            },
            build=_rapidpro_tw,
            succeeds=has_sid,
        ),
    ),
)


def _mobex(settings: Settings, message: Message) -> list[Request]:
    query = {
        "username": settings["Username"],
        "password": settings["Password"],
        "to": message.to[1:],
        "from": settings["From"],
        "content": message.text,
    }
    return [get(f"{settings['Mobex SMS Gateway Address']}/send", query)]


def _voxtelesys(settings: Settings, message: Message) -> list[Request]:
    content = {"to": [message.to], "from": SIM, "body": message.text}
    heads = {"Authorization": f"Bearer {settings['Auth Token']}"}
    return [post_json(settings["URL"], content, heads)]


def _rocket_twilio(settings: Settings, message: Message) -> list[Request]:
    account, token = settings["Account SID"], settings["Auth Token"]
    return [twilio_create(account, token, To=message.to, From=SIM, Body=message.text)]


ROCKET_CHAT = Program(
    name="Rocket.Chat",
    note="*Workspace*, *Settings*, *SMS*: *Enabled*, and one of these as *Service*.",
    ways=(
        Way(
            title="Voxtelesys",
            dialect="generic",
            where="*Voxtelesys*:",
            settings={"Auth Token": KEY, "URL": f"{GATEWAY}/sms"},
            build=_voxtelesys,
        ),
        Way(
            title="Mobex",
            dialect="jasmin",
            where="*Mobex*:",
            settings={
                "Mobex SMS Gateway Address": GATEWAY,
                "Mobex SMS REST Address": GATEWAY,
                "Username": ORG,
                "Password": KEY,
                "From": SIM,
            },
            build=_mobex,
        ),
        Way(
            title="Twilio",
            dialect="twilio",
            stand_in=True,
            where="*Twilio*:",
            settings={"Account SID": ACCOUNT, "Auth Token": KEY},
            build=_rocket_twilio,
            succeeds=has_sid,
        ),
    ),
)


def _wordpress_json(settings: Settings, message: Message) -> list[Request]:
    escaped = json.dumps(message.text)[1:-1]
    marks = {"{recipients}": json.dumps(message.to), "{message}": escaped}
    body = filled(settings["Request Body (JSON)"], marks).encode()
    heads = headers_of(settings["HTTP Headers"])
    return [Request(url=settings["Send SMS API URL"], headers=heads, body=body)]


def _wordpress_pairs(settings: Settings, message: Message) -> list[Request]:
    pairs: Mapping[str, Any] = {
        name: value.replace("{to}", message.to).replace("{message}", message.text)
        for name, value in headers_of(settings["HTTP Parameters"].replace(", ", "\n")).items()
    }
    heads = headers_of(settings["HTTP Headers"])
    # JSON, and WordPress calls every body a form.
    body = json.dumps(pairs).encode()
    return [
        Request(
            url=settings["Send SMS API URL"], headers={"Content-Type": FORM, **heads}, body=body
        )
    ]


WORDPRESS = Program(
    name="WordPress: WP SMS, WooCommerce",
    note="*SMS*, *Settings*, *SMS Gateway*, *Custom*.",
    ways=(
        Way(
            title="Key-Value",
            dialect="generic",
            where="*Body Format* Key-Value, *Send As POST* Yes, encoding application/json:",
            settings={
                "Send SMS API URL": f"{GATEWAY}/sms",
                "HTTP Headers": f"X-API-Key: {KEY}",
                "HTTP Parameters": "to:{to}, text:{message}",
            },
            build=_wordpress_pairs,
            note="One parameter a line there.",
        ),
        Way(
            title="Raw JSON",
            dialect="generic",
            where="*Body Format* Raw JSON:",
            settings={
                "Send SMS API URL": f"{GATEWAY}/sms",
                "HTTP Headers": f"X-API-Key: {KEY}\nContent-Type: application/json",
                "Request Body (JSON)": '{"to": [{recipients}], "text": "{message}"}',
            },
            build=_wordpress_json,
        ),
    ),
)

PROGRAMS = (
    CAL_COM,
    CHATWOOT,
    FRAPPE,
    LISTMONK,
    MAUTIC,
    ODOO,
    RAPIDPRO,
    ROCKET_CHAT,
    WORDPRESS,
)
