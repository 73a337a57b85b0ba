"""Every setting of the gateway, with its default, unit and reason.

The classes only hold values, which `reader` takes from the file and the environment. Each field's
`help` is the text that `gateway.toml.example` prints above it.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from phonegate.model.dialects import DIALECTS


def setting(default: Any, help_: str) -> Any:
    """Returns a field with a default, and the sentences that explain it to an operator."""
    if isinstance(default, list):
        return attrs.field(factory=lambda: tuple(default), metadata={"help": help_})
    return attrs.field(default=default, metadata={"help": help_})


ASSISTANTS: Final = "assistants"
"""The name of the tables of declared assistants in the file."""

RequestLog = Literal["all", "changes", "errors"]
"""The requests that get a line in the log."""


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The server: where it listens, and how much it takes from one client."""

    bind: tuple[str, ...] = setting(
        ["0.0.0.0:8080"], "Addresses to listen on, host:port; port 0 picks a free one."
    )
    plain_bind: tuple[str, ...] = setting(
        [],
        "More addresses to listen on, host:port, which speak plain HTTP even where [tls] is set: "
        "for a proxy on the same machine that encrypts by itself.",
    )
    public_url: str = setting(
        "",
        "The address by which others reach this gateway, such as https://sms.example.org. Carriers "
        "report to it, unless it is one of a home network.",
    )
    prefix: str = setting(
        "",
        "Path of this gateway, such as /sms, where it shares its host with other programs. "
        "Requests without it are accepted too (see docs/operations.md).",
    )
    trusted_proxies: tuple[str, ...] = setting(
        [],
        "Networks (CIDR) of reverse proxies whose X-Forwarded-For, -Proto and -Prefix, and "
        "X-Ingress-Path, are believed.",
    )
    allowed_origins: tuple[str, ...] = setting(
        [],
        "Sites whose web pages may use the API from a browser (CORS), such as "
        "https://app.example.org. Requests from pages of other sites are refused.",
    )
    max_body_bytes: int = setting(
        1_048_576, "Largest request body, in bytes. 500 messages of plain text fit the default."
    )
    max_head_bytes: int = setting(16_384, "Largest request line and headers together, in bytes.")
    head_timeout_s: float = setting(
        10.0, "Seconds a client has to send the head of a request, the TLS handshake included."
    )
    keepalive_timeout_s: float = setting(
        75.0,
        "Seconds a connection may be idle between requests. This must be longer than a proxy in "
        "front keeps its own open (nginx: 60), so that no request meets a closing connection.",
    )
    request_timeout_s: float = setting(60.0, "Seconds a request may take from head to answer.")
    peer_timeout_s: float = setting(
        20.0, "Seconds a client may leave sent data unacknowledged before it is disconnected."
    )
    max_connections: int = setting(20_000, "Connections open at once, of phones and apps together.")
    drain_s: float = setting(
        8.0, "Seconds that running requests have to finish when the gateway stops."
    )


@attrs.frozen(kw_only=True)
class TlsSettings:
    """Encryption by the gateway itself. Leave it empty behind a reverse proxy."""

    certificate: str = setting("", "Path of the certificate chain (PEM). Empty: plain HTTP.")
    key: str = setting("", "Path of the private key (PEM).")


@attrs.frozen(kw_only=True)
class StandInSettings:
    """HTTPS in place of api.twilio.com, for programs that know no other host (docs/stand-in.md)."""

    enabled: bool = setting(
        False,
        "Whether it is served. `phonegate certificate --stand-in api.twilio.com` makes the "
        "certificate, and docs/stand-in.md says what that means.",
    )
    bind: tuple[str, ...] = setting(
        [],
        "Addresses to listen on for it alone, such as 0.0.0.0:443. Programs that can't choose the "
        "host call port 443. Where [tls] is set, those of [http] serve it too.",
    )
    folder: str = setting(
        "", "The folder of the certificate. Empty: stand-in, beside the database."
    )


@attrs.frozen(kw_only=True)
class DatabaseSettings:
    """The file that holds all data."""

    path: str = setting("phonegate.db", "The SQLite file. The first start makes it, mode 0600.")
    readers: int = setting(4, "Connections that read, besides the one that writes.")
    checkpoint: Literal["gateway", "litestream"] = setting(
        "gateway",
        "The program that copies the write-ahead log into the file. litestream: a Litestream that "
        "replicates the file and must always run. The gateway then never copies it (see "
        "docs/operations.md).",
    )
    commits: Literal["auto", "thread", "loop"] = setting(
        "auto",
        "Where small commits are made. auto: on the event loop while the disk takes about a "
        "millisecond at most, else in a thread. loop: on the event loop however slow the disk is, "
        "and every connection waits for it.",
    )
    first_id: int = setting(
        1,
        "The ids of messages, phones and all else begin there. Where orgs move between gateways, "
        "each gateway should have a number of its own (see docs/scaling.md).",
    )


@attrs.frozen(kw_only=True)
class OrgSettings:
    """How orgs, the tenants of the gateway, are made."""

    registration: Literal["local", "open", "closed"] = setting(
        "local",
        "Where the first phone or POST /webhook with a new OrgId may create it. local: on this "
        "machine and private networks only. open: everywhere. closed: nowhere, only `phonegate org "
        "add` creates orgs. A value set here overrides `phonegate registration`.",
    )


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """What happens to messages whose phone does not answer."""

    max_attempts: int = setting(
        5, "Times a message is pushed to a phone that never acknowledges it before it is uncertain."
    )
    unacknowledged: Literal["resend", "hold"] = setting(
        "resend",
        "What to do with a push that a phone of the simple protocol neither confirmed nor refused: "
        "resend it on reconnect, or hold it as uncertain.",
    )
    on_uncertain: Literal["hold", "resend"] = setting(
        "hold",
        "What to do with a message for which a phone never reported a result: "
        "hold it for a person, or resend it as a new message (which may arrive twice).",
    )
    late_result_grace_s: float = setting(
        5.0, "Seconds a returning phone has to report old results before messages are pushed again."
    )
    result_timeout_s: float = setting(
        300.0,
        "Seconds to wait for a phone's result before a message is uncertain; five more for each of "
        "its segments but the first.",
    )
    away_timeout_s: float = setting(
        259_200.0,
        "Seconds that a message which was pushed, and never acknowledged, waits for its phone "
        "to return before it is uncertain. The default is three days: a phone that stays away "
        "longer may never return.",
    )
    default_ttl_s: int = setting(
        0,
        "Seconds, such as 86_400, after which a message that was sent without a ttl expires if "
        "it has not left. 0: it waits for its phone for as long as necessary.",
    )
    window: int = setting(100, "Messages in flight to one phone before it must acknowledge some.")
    widest_window: int = setting(
        1_000,
        "How far the window widens for a phone that answers all of it within a second. "
        "A value up to that of window never widens it.",
    )


@attrs.frozen(kw_only=True)
class PacingSettings:
    """How fast one SIM may send."""

    segments_per_minute: int = setting(
        24,
        "Segments a minute for each SIM. At 30, Android stops an app and asks the phone's owner. "
        "0: no limit.",
    )
    orgs: tuple[str, ...] = setting(
        [], 'Other limits for the SIMs of some orgs, such as ["myorg=0", "club=10"].'
    )
    sims: tuple[str, ...] = setting(
        [],
        'Other limits for some SIMs, by number, such as ["+15551112222=10"]. A number is written '
        "as its phone reports it, or as in E.164.",
    )


@attrs.frozen(kw_only=True)
class PhoneSettings:
    """The phone link."""

    ping_interval_s: float = setting(
        15.0,
        "Seconds between pings to a phone. Together with pong_timeout_s, this is how long a phone "
        "that is silent or reads nothing counts as connected: half a minute.",
    )
    pong_timeout_s: float = setting(
        14.0, "Seconds a phone has to answer a ping before its link counts as dead."
    )
    write_timeout_s: float = setting(
        20.0, "Seconds a phone may take to read sent data before it is disconnected."
    )
    max_frame_bytes: int = setting(65_536, "Largest frame accepted from a phone, in bytes.")
    max_inbound_bytes: int = setting(
        1_048_576,
        "Largest frame of received SMS, in bytes: as much as one POST /webhook may hold.",
    )
    max_nonsense: int = setting(
        20, "Successive frames that can't be understood before a link is closed with 1008."
    )


@attrs.frozen(kw_only=True)
class ModemSettings:
    """A USB or built-in modem of this machine as a phone, by ModemManager (see docs/phones.md)."""

    enabled: bool = setting(
        False,
        "The gateway itself is a phone, by the modem. `phonegate phone --modem` is the same as a "
        "program of its own, on this machine or another.",
    )
    org: str = setting(
        "", "The OrgId whose phone it is. The org must exist: phonegate org add makes it."
    )
    imei: str = setting("", "The IMEI of the modem. Empty: the only one that there is.")
    pin: str = attrs.field(
        default="",
        repr=False,
        metadata={
            "help": "The PIN of its SIM, which is tried once and never again. Empty: the SIM has "
            "none."
        },
    )
    number: str = setting(
        "", "The number of its SIM, such as +15551112222, where the SIM does not know it."
    )
    name: str = setting("", "Its name for people. Empty: what its maker calls it.")


@attrs.frozen(kw_only=True)
class MediaSettings:
    """The media of MMS that a phone is to send, which the gateway fetches (see docs/phones.md)."""

    private_networks: bool = setting(
        False,
        "Media may lie in private networks also where every caller can make an org "
        "(registration open). Elsewhere they always may.",
    )
    allow: tuple[str, ...] = setting(
        [],
        "Networks (CIDR) that media may lie in besides, such as 127.0.0.0/8 for a server of media "
        "on this machine. The gateway's own ports are never called.",
    )


@attrs.frozen(kw_only=True)
class WebhookSettings:
    """The webhooks of orgs: URLs that the gateway calls with what happens (see docs/events.md)."""

    private_networks: bool = setting(
        False,
        "Webhooks may lie in private networks also where every caller can make an org "
        "(registration open). Elsewhere they always may.",
    )
    allow: tuple[str, ...] = setting(
        [],
        "Networks (CIDR) that webhooks may lie in besides, such as 127.0.0.0/8 for a program on "
        "this machine. The gateway's own ports are never called.",
    )
    calls_at_once: int = setting(
        256,
        "Calls of webhooks that may be under way at once, each for up to 15 seconds. One that "
        "hangs takes about 100 kB. Webhooks that fail share a small part of them.",
    )
    log_days: int = setting(
        7,
        "Days that the log of a webhook shows what was delivered, of the newest 5,000 deliveries.",
    )


@attrs.frozen(kw_only=True)
class CarrierSettings:
    """The APIs of carriers, for assistants that send through one."""

    twilio_url: str = setting("https://api.twilio.com", "Where Twilio's API is.")
    telnyx_url: str = setting("https://api.telnyx.com", "Where Telnyx's API is.")
    deadline_s: float = setting(
        20.0, "Seconds that sending through a carrier may take before its sender is answered."
    )


@attrs.frozen(kw_only=True)
class DialectSettings:
    """APIs of other gateways that this one answers too (see docs/dialects.md)."""

    enabled: tuple[str, ...] = setting(
        list(DIALECTS), "Those that are served. Addresses of the others answer 404."
    )


@attrs.frozen(kw_only=True)
class AssistantSettings:
    """One `[[assistants]]` of the file: sender numbers of an org, and how it sends from them."""

    org: str
    name: str
    provider: str
    phone_numbers: tuple[str, ...]
    credentials: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class OperatorSettings:
    """GET /metrics and GET /ready, and the operator's page of the console. Off by default."""

    bind: str = setting(
        "",
        "A separate address for them, such as 127.0.0.1:9464. "
        "Empty: they are at the addresses of [http], if there is a token.",
    )
    token: str = attrs.field(
        default="",
        repr=False,
        metadata={
            "help": "The token that they must send as Authorization: Bearer, 20 characters or "
            "more. Empty: none is needed at a separate address, and those of [http] don't answer."
        },
    )
    console: bool = setting(
        True,
        "Whether the token also opens the operator's page of the console, at the addresses of "
        "[http]: its orgs can be made, given other secrets and removed there.",
    )


@attrs.frozen(kw_only=True)
class RetentionSettings:
    """How long finished messages are kept."""

    messages_days: int = setting(
        0,
        "Days after which finished messages are deleted. Messages that wait or are uncertain "
        "stay. 0: all are kept for ever.",
    )
    figures_days: int = setting(
        400,
        "Days that the hourly figures of each SIM are kept, which outlive the messages. A year and "
        "a month of them take some 1 MB for each SIM.",
    )


@attrs.frozen(kw_only=True)
class EventSettings:
    """What happens to messages and phones, as apps and webhooks get to know it."""

    keep_hours: int = setting(
        72,
        "Hours that an event is kept, and that an app may be away and still read on without a "
        "gap. Events of an org are recorded while it has a webhook, or an app has read them in "
        "this time. No event is kept longer than [retention] keeps messages.",
    )


@attrs.frozen(kw_only=True)
class LimitSettings:
    """How much one address, org or phone may use of what all share. 0: no limit."""

    address_connections: int = setting(
        1_000,
        "Connections open at once from one address (IPv6: one /64), so that it takes twenty "
        "to fill max_connections. More phones behind one address need more. Connections from "
        "[http] trusted_proxies are not counted.",
    )
    address_handshakes_per_s: int = setting(
        50,
        "TLS and websocket handshakes a second from one address, and five seconds' worth at once. "
        "Each takes a millisecond or more. Phones whose secret is known are not limited.",
    )
    address_requests_per_s: int = setting(
        100,
        "Requests a second from one address without a right credential, and five seconds' worth "
        "at once. Health checks count. Requests of an org's own apps and phones do not.",
    )
    address_orgs_per_hour: int = setting(
        100, "Orgs made in an hour from one address, where registration allows it."
    )
    orgs_per_hour: int = setting(
        1_000,
        "Orgs made in an hour from all addresses together, since each is kept for ever. Private "
        "networks may make as many again. The second half is for networks that have made fewer "
        "than three.",
    )
    org_requests_per_s: int = setting(
        1_000,
        "Requests a second of one org, and five seconds' worth at once, which leaves others a part "
        "of one core. A request may carry 500 messages.",
    )
    org_queue: int = setting(
        1_000_000,
        "Messages of one org that may wait for a phone or carrier. The default is some 700 MB, "
        "and four weeks of one SIM at the default pace.",
    )
    org_bytes_per_day: int = setting(
        8_589_934_592,
        "Bytes that one org may store in a day, or all at once, counted as the text and 600 "
        "for each message. The default is some ten million messages.",
    )
    self_made_org_bytes_per_day: int = setting(
        67_108_864,
        "The same for an org made by its first phone or POST /webhook, and not by `phonegate org "
        "add` or `org rotate`. The default is 80,000 messages, more than a phone can send or "
        "receive.",
    )
    phone_frames_per_s: int = setting(
        500,
        "Frames a second of one phone, and five seconds' worth at once. A phone that sends more "
        "is read more slowly, and loses nothing.",
    )
    org_frames_per_s: int = setting(
        5_000,
        "The same for all phones of one org together, and a second's worth at once, which leaves "
        "others nine tenths of a core.",
    )
    org_phones: int = setting(
        5_000,
        "Phones with a device_id that one org may have, and phones without one that it may have "
        "connected at the same time. A known phone is always let in.",
    )
    org_sims: int = setting(
        10_000, "SIMs that one org may have, including those of phones that are not connected."
    )
    org_keys: int = setting(1_000, "API keys that one org may have.")
    org_assistants: int = setting(1_000, "Assistants that one org may have.")
    org_events: int = setting(
        100_000,
        "Events that are kept of one org, the newest ones. An app that is further behind finds a "
        "gap. A message that is sent makes three or four.",
    )
    org_webhooks: int = setting(100, "Webhooks that one org may have, and as many hooks.")
    bodies_bytes: int = setting(
        67_108_864,
        "Memory for all request bodies on their way. When it is used up, a request of those that "
        "use most of it is given up, of unauthenticated callers first.",
    )
    answers_bytes: int = setting(
        67_108_864,
        "Memory for all answers on their way. An org may use a quarter of it, and each of its "
        "credentials, or an unauthenticated caller's address, half of that. When it is used up, an "
        "answer that its client has not read from for ten seconds is given up. If there is none, "
        "the next large answer to a request that reads is refused.",
    )


@attrs.frozen(kw_only=True)
class AlarmSettings:
    """Alarms in the log and to people, when one begins and when it is over. 0: not watched."""

    notify: tuple[str, ...] = attrs.field(
        factory=tuple,
        repr=False,
        metadata={
            "help": "Where alarms are reported to. webhook:URL gets JSON (a topic of ntfy reads "
            "it too). sms:ORG:+15551112222 goes through a phone or carrier of that org that works. "
            "Any other is a URL of Apprise, for mail and a hundred services (pip install "
            "'phonegate[apprise]'). `phonegate alarms test` tries them. See docs/operations.md."
        },
    )
    heartbeat_url: str = attrs.field(
        default="",
        repr=False,
        metadata={
            "help": "Called (GET) each minute while no alarm is on, but for advice to an org's "
            "owner, and the disk takes writes: the address of a check at healthchecks.io, or of a "
            "push monitor of Uptime Kuma, which raises the alarm when the calls stop."
        },
    )
    phone_away_s: float = setting(
        20.0,
        "Seconds that messages may wait for a phone that is away. A dead link is noticed within "
        "half a minute, so that the alarm comes within a minute after the phone was lost. Phones "
        "that change networks often, and are back in a minute, may need more.",
    )
    queue_age_s: float = setting(
        900.0,
        "Seconds that a message may wait for its turn at a carrier, or at a phone that is "
        "online. The default is time for a few hundred segments at the default pace.",
    )
    disk_low_bytes: int = setting(
        268_435_456,
        "Least free space on the database's disk, in bytes. Below it GET /ready answers no. "
        "The default is room for some 300,000 messages, and time to make more.",
    )
    database_bytes: int = setting(
        0, "Size of the database, in bytes, that raises an alarm, such as 4_294_967_296."
    )
    log_bytes: int = setting(
        268_435_456,
        "Size of the write-ahead log, in bytes, that raises an alarm. It grows past 64 MiB only "
        "during a backup, or when no program checkpoints.",
    )
    carrier_failures: int = setting(
        5, "Successive sends that a carrier neither accepted nor refused, as when it is down."
    )
    certificate_days: int = setting(
        14,
        "Days before the end of the certificate of [tls] that raise an alarm. What renews "
        "certificates does so earlier: `phonegate certificate` and ACME clients 30 days before.",
    )


@attrs.frozen(kw_only=True)
class LogSettings:
    """What is written to standard error."""

    format: Literal["auto", "text", "json"] = setting(
        "auto", "auto: text on a terminal, JSON lines otherwise."
    )
    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The lowest level that is logged."
    )
    requests: RequestLog = setting(  # noqa: RUF009 - setting() makes an attribute
        "errors",
        "Which HTTP requests are logged. errors: those that were refused or failed. changes: also "
        "all that are not a GET. all: every one, including health checks.",
    )
    trouble_per_s: int = setting(
        10,
        "Lines a second of each kind of trouble, such as refused requests, and twenty seconds' "
        "worth at once. The next line counts those left out. 0: no limit, so that anyone can fill "
        "the disk.",
    )


@attrs.frozen(kw_only=True)
class Settings:
    """All settings of an operator, by section of `gateway.toml`."""

    http: HttpSettings = attrs.field(factory=HttpSettings)
    tls: TlsSettings = attrs.field(factory=TlsSettings)
    stand_in: StandInSettings = attrs.field(factory=StandInSettings)
    database: DatabaseSettings = attrs.field(factory=DatabaseSettings)
    orgs: OrgSettings = attrs.field(factory=OrgSettings)
    delivery: DeliverySettings = attrs.field(factory=DeliverySettings)
    pacing: PacingSettings = attrs.field(factory=PacingSettings)
    phones: PhoneSettings = attrs.field(factory=PhoneSettings)
    modem: ModemSettings = attrs.field(factory=ModemSettings)
    media: MediaSettings = attrs.field(factory=MediaSettings)
    webhooks: WebhookSettings = attrs.field(factory=WebhookSettings)
    carriers: CarrierSettings = attrs.field(factory=CarrierSettings)
    dialects: DialectSettings = attrs.field(factory=DialectSettings)
    operator: OperatorSettings = attrs.field(factory=OperatorSettings)
    retention: RetentionSettings = attrs.field(factory=RetentionSettings)
    events: EventSettings = attrs.field(factory=EventSettings)
    limits: LimitSettings = attrs.field(factory=LimitSettings)
    alarms: AlarmSettings = attrs.field(factory=AlarmSettings)
    log: LogSettings = attrs.field(factory=LogSettings)
    assistants: tuple[AssistantSettings, ...] = ()
    """Not a section: each is a table of its own in the file, and no variable overrides them."""
    sources: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """Where each setting that is not at its default comes from, by dotted key."""
