"""Ready-made mappings of hooks: one declaration for each program that is known. Pure.

Each has a sample of what the program posts, by its own documentation or source, with which it is
tried and tested.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.model.hooks import HookMapping, VerificationKind

ANY_RECIPIENT: Final = "+15553334444"
"""Stands for the number that an org's people enter, where the program names none."""


@attrs.frozen(kw_only=True)
class ReadyMapping:
    """A mapping for a program, as it is offered."""

    name: str
    """What the API calls it."""
    title: str
    about: str
    """When the program calls, in a sentence."""
    steps: str
    """Where its address is entered there, in a sentence or two."""
    mapping: HookMapping
    verification: VerificationKind | None = None
    """The kind that fits the program. Its secret comes from there."""
    header: str | None = None
    """The header of that kind."""
    timestamp_header: str | None = None
    always_signs: bool = False
    """Whether the program has such a secret in any case. With others it is to be switched on."""
    secret_hint: str = ""
    """Where the program has its secret, or what it is."""
    sample: Any = attrs.field(repr=False)
    """What the program posts."""

    @property
    def needs_recipient(self) -> bool:
        """Whether the numbers are to be entered, since what is posted has none."""
        return ANY_RECIPIENT in self.mapping.to


_ALERT_LINE: Final = (
    '{#$.status == "firing"}{#status == "resolved"}(resolved) {/}{/}'
    '{annotations.summary | default:""}'
    '{^annotations.summary}{labels.alertname | default:"alert"}'
    "{#labels.instance} on {labels.instance}{/}{/}"
)
"""One alert of Alertmanager or Grafana: its summary, or else its name and where it is."""

_ALERTMANAGER: Final = ReadyMapping(
    name="alertmanager",
    title="Prometheus Alertmanager",
    about="A group of alerts begins to fire, changes or is resolved.",
    steps="In alertmanager.yml, add a receiver with webhook_configs and this address as url. "
    "Without send_resolved: false it also reports what is over.",
    mapping=HookMapping(
        to=(ANY_RECIPIENT,),
        text='{status | upper}: {commonLabels.alertname | default:"several alerts"}'
        "{#alerts}\n" + _ALERT_LINE + "{/}"
        "{#truncatedAlerts}\nand {truncatedAlerts} more{/}",
        max_characters=459,
    ),
    verification="header",
    secret_hint="http_config with authorization: credentials there. Enter it here as Bearer "  # noqa: S106 - a hint
    "and the credentials.",
    sample={
        "version": "4",
        "groupKey": '{}/{severity="critical"}:{alertname="HighLatency"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "sms",
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {"alertname": "HighLatency", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org:9093",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": "HighLatency",
                    "instance": "api-1:9090",
                    "severity": "critical",
                },
                "annotations": {"summary": "Requests to api-1 take more than 2 s"},
                "startsAt": "2026-11-21T08:00:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=latency",
                "fingerprint": "b3b5f7d1a2c4e6f8",
            },
            {
                "status": "resolved",
                "labels": {
                    "alertname": "HighLatency",
                    "instance": "api-2:9090",
                    "severity": "critical",
                },
                "annotations": {},
                "startsAt": "2026-11-21T07:30:00.000Z",
                "endsAt": "2026-11-21T07:58:00.000Z",
                "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=latency",
                "fingerprint": "c4c6a8e2b3d5f709",
            },
        ],
    },
)

_GRAFANA: Final = ReadyMapping(
    name="grafana",
    title="Grafana",
    about="A contact point of type Webhook is notified.",
    steps="Alerting, Contact points, Add contact point: choose Webhook and enter this address "
    "as URL.",
    mapping=HookMapping(
        to=(ANY_RECIPIENT,),
        text='{title | default:"Grafana"}{#alerts}\n' + _ALERT_LINE + "{/}"
        "{#truncatedAlerts}\nand {truncatedAlerts} more{/}",
        max_characters=459,
    ),
    verification="hmac",
    header="X-Grafana-Alerting-Signature",
    secret_hint="The secret of HMAC Signature, in the optional settings there.",  # noqa: S106 - a hint
    sample={
        "receiver": "sms",
        "status": "firing",
        "orgId": 1,
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "High memory usage", "team": "blue", "zone": "eu-1"},
                "annotations": {
                    "description": "The system has high memory usage",
                    "summary": "Memory of zone eu-1 is at 93 %",
                },
                "startsAt": "2026-11-21T09:51:03.157Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "values": {"B": 93.4, "C": 1},
                "generatorURL": "https://grafana.example.org/alerting/grafana/xf/view",
                "fingerprint": "c6eadffa33fcdf37",
                "silenceURL": "https://grafana.example.org/alerting/silence/new",
                "dashboardURL": "",
                "panelURL": "",
                "valueString": "[ var='B' labels={zone=eu-1} value=93.4 ]",
            }
        ],
        "groupLabels": {},
        "commonLabels": {"team": "blue"},
        "commonAnnotations": {},
        "externalURL": "https://grafana.example.org/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "title": "[FIRING:1]  (High memory usage blue)",
        "state": "alerting",
        "message": "**Firing** Value: B=93.4 Labels: alertname = High memory usage",
    },
)

_SUPABASE: Final = ReadyMapping(
    name="supabase",
    title="Supabase Auth (GoTrue)",
    about="A user signs in, or changes a number, and needs a code.",
    steps="Authentication, Hooks, Send SMS hook: choose HTTPS and enter this address. "
    "Self-hosted: GOTRUE_HOOK_SEND_SMS_URI, with GOTRUE_HOOK_SEND_SMS_ENABLED=true.",
    mapping=HookMapping(
        to=("{sms.phone | plus}",), text="Your code is {sms.otp}", answer="supabase"
    ),
    verification="standard",
    always_signs=True,
    secret_hint="The secret of the hook there, or GOTRUE_HOOK_SEND_SMS_SECRETS: v1,whsec_…",  # noqa: S106 - a hint
    sample={
        "metadata": {
            "uuid": "6481a5c1-3d37-4a56-9f6a-bee08c554965",
            "time": "2026-11-21T08:00:00.000Z",
            "name": "send-sms",
        },
        "user": {
            "id": "6481a5c1-3d37-4a56-9f6a-bee08c554965",
            "aud": "authenticated",
            "role": "authenticated",
            "phone": "15553334444",
            "phone_confirmed_at": None,
            "app_metadata": {"provider": "phone", "providers": ["phone"]},
            "user_metadata": {},
            "is_anonymous": False,
        },
        "sms": {"otp": "561166", "phone": "15553334444"},
    },
)

_LOGTO: Final = ReadyMapping(
    name="logto",
    title="Logto",
    about="A user signs in, registers or resets a password, and needs a code.",
    steps="Connectors, Email and SMS connectors, HTTP SMS: enter this address as endpoint.",
    mapping=HookMapping(
        to=("{to | plus}",),
        text='{#type == "SignIn"}Your code to sign in is {payload.code}{/}'
        '{#type == "Register"}Your code to register is {payload.code}{/}'
        '{#type == "ForgotPassword"}Your code to reset your password is {payload.code}{/}'
        '{#type == "OrganizationInvitation"}You are invited: {payload.link}{/}'
        '{^type == "SignIn"}{^type == "Register"}{^type == "ForgotPassword"}'
        '{^type == "OrganizationInvitation"}Your code is {payload.code}{/}{/}{/}{/}',
    ),
    verification="header",
    secret_hint="What you enter there as authorization, such as Bearer and a long random text.",  # noqa: S106 - a hint
    sample={"to": "+15553334444", "type": "SignIn", "payload": {"code": "123456"}},
)

_ZITADEL: Final = ReadyMapping(
    name="zitadel",
    title="ZITADEL",
    about="A user needs a code, or is to be notified by SMS.",
    steps="Default settings, SMS Provider, HTTP: enter this address as endpoint, and activate it. "
    "Or by its API: POST /admin/v1/sms/http.",
    mapping=HookMapping(to=("{contextInfo.recipientPhoneNumber}",), text="{templateData.text}"),
    verification="zitadel",
    always_signs=True,
    secret_hint="The signing key that it shows when the provider is made.",  # noqa: S106 - a hint
    sample={
        "contextInfo": {
            "eventType": "user.human.phone.code.added",
            "provider": {"id": "285181292935381355", "description": "phonegate"},
            "recipientPhoneNumber": "+15553334444",
        },
        "templateData": {
            "title": "Zitadel - Verify phone",
            "preHeader": "Verify phone",
            "subject": "Verify phone",
            "greeting": "Hello Gigi,",
            "text": "Your code is RZ4B9Q. It is valid for 5 minutes.",
            "url": "https://login.example.org/ui",
            "buttonText": "Verify",
        },
        "args": {"code": "RZ4B9Q", "userName": "gigi", "displayName": "Gigi Giraffe"},
    },
)

_LISTMONK: Final = ReadyMapping(
    name="listmonk",
    title="listmonk",
    about="A campaign with this messenger is sent: a call for each subscriber.",
    steps="Settings, Messengers, Add new: enter this address as URL. Subscribers need an "
    'attribute phone: {"phone": "+15553334444"}.',
    mapping=HookMapping(to=("{recipients[*].attribs.phone}",), text="{body | plain}"),
    verification="basic",
    secret_hint="The user and the password that you enter there, with a colon between them.",  # noqa: S106 - a hint
    sample={
        "subject": "Opening hours",
        "from_email": "news@example.org",
        "content_type": "html",
        "body": "<p>Hello Anna,</p><p>we are <b>closed</b> on Friday &amp; Saturday.</p>",
        "recipients": [
            {
                "uuid": "e44b4135-1e1d-40c5-8a30-0f9a886c2884",
                "email": "anna@example.org",
                "name": "Anna Example",
                "attribs": {"phone": "+15553334444", "city": "Berlin"},
                "status": "enabled",
            }
        ],
        "campaign": {
            "from_email": "news@example.org",
            "uuid": "2e7e4b51-f31b-418a-a120-e41800cb689f",
            "name": "Opening hours in December",
            "headers": [],
            "tags": [],
        },
        "attachments": [],
    },
)

_AUTHGEAR: Final = ReadyMapping(
    name="authgear",
    title="Authgear",
    about="A user needs a code by SMS.",
    steps="In the portal: SMS provider, Custom, Webhook: enter this address.",
    mapping=HookMapping(to=("{to}",), text="{body}"),
    verification="hmac",
    header="x-authgear-body-signature",
    secret_hint="Advanced, Hooks, Webhook Signature there.",  # noqa: S106 - a hint
    sample={"to": "+15553334444", "body": "Your verification code is: 123456"},
)

_UPTIME_KUMA: Final = ReadyMapping(
    name="uptime_kuma",
    title="Uptime Kuma",
    about="A monitor goes down or comes up again.",
    steps="Settings, Notifications, Setup notification: choose Webhook, POST and application/json, "
    "and enter this address.",
    mapping=HookMapping(to=(ANY_RECIPIENT,), text="{msg}", max_characters=459),
    verification="header",
    secret_hint='Additional headers there: {"Authorization": "Bearer …"}.',  # noqa: S106 - a hint
    sample={
        "heartbeat": {
            "monitorID": 3,
            "status": 0,
            "time": "2026-11-21 08:00:00.000",
            "msg": "connect ECONNREFUSED 192.0.2.7:443",
            "important": True,
            "duration": 60,
        },
        "monitor": {"id": 3, "name": "Shop", "type": "http", "url": "https://shop.example.org"},
        "msg": "[Shop] [🔴 Down] connect ECONNREFUSED 192.0.2.7:443",
    },
)

_GITHUB: Final = ReadyMapping(
    name="github",
    title="GitHub Actions",
    about="A workflow has failed.",
    steps="In the repository: Settings, Webhooks, Add webhook: enter this address, choose "
    "application/json, and of the events only Workflow runs.",
    mapping=HookMapping(
        to=(ANY_RECIPIENT,),
        when=("workflow_run.conclusion == failure",),
        text='{repository.full_name}: {workflow_run.name | default:"a workflow"} failed on '
        "{workflow_run.head_branch}\n{workflow_run.html_url}",
    ),
    verification="hmac",
    header="X-Hub-Signature-256",
    secret_hint="The secret that you enter there.",  # noqa: S106 - a hint
    sample={
        "action": "completed",
        "workflow_run": {
            "id": 30433642,
            "name": "Build",
            "head_branch": "main",
            "run_number": 562,
            "event": "push",
            "status": "completed",
            "conclusion": "failure",
            "html_url": "https://github.com/octo/hello/actions/runs/30433642",
        },
        "repository": {"id": 1296269, "name": "hello", "full_name": "octo/hello"},
        "sender": {"login": "octo"},
    },
)

_JSON: Final = ReadyMapping(
    name="json",
    title="Another program",
    about="A program posts a number and a text as JSON.",
    steps="Enter this address where your program calls one, by POST.",
    mapping=HookMapping(to=("{to}",), text="{text}"),
    sample={"to": "+15553334444", "text": "Your table is ready"},
)

READY_MAPPINGS: Final[Sequence[ReadyMapping]] = (
    _ALERTMANAGER,
    _GRAFANA,
    _UPTIME_KUMA,
    _GITHUB,
    _SUPABASE,
    _LOGTO,
    _ZITADEL,
    _AUTHGEAR,
    _LISTMONK,
    _JSON,
)
"""In the order of choosing: what reports, what needs codes, what writes to people, and the rest."""

READY_BY_NAME: Final[Mapping[str, ReadyMapping]] = {one.name: one for one in READY_MAPPINGS}
