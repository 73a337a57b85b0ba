"""Every setting of the gateway, with its default, unit and reason.

The classes only hold values; `config` fills them from the file and the environment. Each
field's `help` is the line that `gateway.toml.example` prints above it.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs


def setting(default: Any, help_: str) -> Any:
    """A field that knows the sentence which explains it to an operator."""
    if isinstance(default, list):
        return attrs.field(factory=lambda: tuple(default), metadata={"help": help_})
    return attrs.field(default=default, metadata={"help": help_})


RequestLog = Literal["all", "changes", "errors"]
"""Which requests get a line in the log."""


@attrs.frozen(kw_only=True)
class HttpSettings:
    """The server: where it listens and how much of one client it bears."""

    bind: tuple[str, ...] = setting(
        ["0.0.0.0:8080"], "Addresses to listen on, host:port; port 0 picks a free one."
    )
    public_url: str = setting(
        "", "The address that others reach this gateway by, such as https://sms.example.org."
    )
    prefix: str = setting(
        "",
        "Path that this gateway is at where it has not its host for itself, such as /sms. "
        "Requests without it are taken too (see docs/operations.md).",
    )
    trusted_proxies: tuple[str, ...] = setting(
        [],
        "Networks (CIDR) of reverse proxies whose X-Forwarded-For, -Proto and -Prefix are "
        "believed.",
    )
    allowed_origins: tuple[str, ...] = setting(
        [],
        "Sites whose web pages may use the API from within a browser (CORS), such as "
        "https://app.example.org; requests of all others' pages are refused.",
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
        "Seconds a connection may idle between requests; longer than a proxy in front keeps its "
        "own (nginx: 60), so that no request meets a connection that is closing.",
    )
    request_timeout_s: float = setting(60.0, "Seconds a request may take from head to answer.")
    peer_timeout_s: float = setting(
        20.0, "Seconds a client may leave what it was sent unacknowledged before it is dropped."
    )
    max_connections: int = setting(20_000, "Connections open at once, of phones and apps together.")
    drain_s: float = setting(
        8.0, "Seconds that running requests have to finish when the gateway is told to stop."
    )


@attrs.frozen(kw_only=True)
class TlsSettings:
    """Encryption in the gateway itself; leave empty behind a reverse proxy."""

    certificate: str = setting("", "Path of the certificate chain (PEM). Empty: plain HTTP.")
    key: str = setting("", "Path of the private key (PEM).")


@attrs.frozen(kw_only=True)
class DatabaseSettings:
    """The one file that holds everything."""

    path: str = setting("phonegate.db", "The SQLite file; made at the first start, mode 0600.")
    readers: int = setting(4, "Connections that read at the same time as the one that writes.")
    checkpoint: Literal["gateway", "litestream"] = setting(
        "gateway",
        "Who copies the write-ahead log into the file. litestream: a Litestream that replicates "
        "the file, which then must run; the gateway never does (see docs/operations.md).",
    )


@attrs.frozen(kw_only=True)
class OrgSettings:
    """Who may become a tenant."""

    registration: Literal["local", "open", "closed"] = setting(
        "local",
        "The first phone or webhook with a new OrgId creates it. local: from this machine and "
        "private networks alone; open: from everywhere; closed: only `phonegate org add` does. "
        "What stands here wins over `phonegate registration`.",
    )


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """What happens to messages whose phone does not answer."""

    max_attempts: int = setting(
        5, "Times a message is pushed to a phone that never acknowledges, before it is uncertain."
    )
    unacknowledged: Literal["resend", "hold"] = setting(
        "resend",
        "A push that a phone of the simple protocol neither confirmed nor refused: "
        "resend on reconnect, or hold as uncertain.",
    )
    on_uncertain: Literal["hold", "resend"] = setting(
        "hold",
        "A message that a phone took without ever telling its fate: "
        "hold it for a person, or resend it as a new message (may arrive twice).",
    )
    late_result_grace_s: float = setting(
        5.0, "Seconds a returning phone has to report old results before messages are pushed again."
    )
    result_timeout_s: float = setting(
        300.0, "Seconds to wait for a phone's result before a message is uncertain."
    )
    away_timeout_s: float = setting(
        259_200.0,
        "Seconds that a message which was pushed, and never acknowledged, waits for its phone "
        "to come back before it is uncertain. Three days: a phone that stays away longer "
        "may be gone for ever.",
    )
    default_ttl_s: int = setting(
        0,
        "Seconds in which a message must have left that was sent without a ttl, such as 86_400; "
        "then it expires. 0: it waits for its phone as long as it takes.",
    )
    window: int = setting(100, "Messages in flight to one phone before it must acknowledge some.")
    widest_window: int = setting(
        1_000,
        "How far the window widens for a phone that answers a whole one within a second; "
        "no more than window keeps it as it is.",
    )


@attrs.frozen(kw_only=True)
class PacingSettings:
    """How fast one SIM may send."""

    segments_per_minute: int = setting(
        24,
        "Segments a minute for each SIM; Android stops an app at 30 and asks its owner. "
        "0: no limit.",
    )
    orgs: tuple[str, ...] = setting(
        [], 'Other limits for the SIMs of some orgs, such as ["myorg=0", "club=10"].'
    )
    sims: tuple[str, ...] = setting(
        [],
        'Other limits for some SIMs, by number, such as ["+15551112222=10"]. A number is taken '
        "as its phone reports it, or as in E.164.",
    )


@attrs.frozen(kw_only=True)
class PhoneSettings:
    """The phone link."""

    ping_interval_s: float = setting(
        15.0,
        "Seconds between pings to a phone. With the next, what a phone that is silent, or reads "
        "nothing, keeps its place: half a minute.",
    )
    pong_timeout_s: float = setting(
        14.0, "Seconds a phone has to answer a ping before its link counts as dead."
    )
    write_timeout_s: float = setting(
        20.0, "Seconds a phone may take to read what it was sent before it is dropped."
    )
    max_frame_bytes: int = setting(65_536, "Largest frame taken from a phone, in bytes.")
    max_inbound_bytes: int = setting(
        1_048_576,
        "The same for frames of received SMS, as much as one POST /webhook may hold.",
    )
    max_nonsense: int = setting(
        20, "Frames that can't be understood, in a row, before a phone is closed with 1008."
    )


@attrs.frozen(kw_only=True)
class CarrierSettings:
    """The carriers' APIs, for assistants that send through one."""

    twilio_url: str = setting("https://api.twilio.com", "Where Twilio's API is.")
    telnyx_url: str = setting("https://api.telnyx.com", "Where Telnyx's API is.")
    deadline_s: float = setting(
        20.0, "Seconds that sending through a carrier may take before its sender is answered."
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
    """Where the operator's programs ask: GET /metrics and GET /ready. Off by default."""

    bind: str = setting(
        "",
        "An address of their own, such as 127.0.0.1:9464. "
        "Empty: the addresses of [http], if there is a token.",
    )
    token: str = attrs.field(
        default="",
        repr=False,
        metadata={
            "help": "What they must show as Authorization: Bearer, 20 characters or more. "
            "Empty: nothing, at an address of their own; no answer at those of [http]."
        },
    )


@attrs.frozen(kw_only=True)
class RetentionSettings:
    """How long finished messages are kept."""

    messages_days: int = setting(
        0,
        "Days after which messages that are finished are deleted; what still waits or is "
        "uncertain stays. 0: kept for ever.",
    )


@attrs.frozen(kw_only=True)
class LimitSettings:
    """What one address, org or phone may take of what all share. 0: no limit."""

    address_connections: int = setting(
        1_000,
        "Connections open at once from one address (of IPv6: its /64), so that it takes twenty "
        "to fill max_connections. More phones behind one address need more; what comes from "
        "[http] trusted_proxies is not counted.",
    )
    address_handshakes_per_s: int = setting(
        50,
        "TLS and websocket handshakes a second from one address, five seconds' worth at once; "
        "each costs a millisecond or more. A phone whose secret is known is let in past it.",
    )
    address_requests_per_s: int = setting(
        100,
        "Requests a second from one address that show no right credential, five seconds' worth "
        "at once. A health check is one; those of an org's own apps and phones are not counted.",
    )
    address_orgs_per_hour: int = setting(
        100, "Orgs made in an hour from one address, where registration admits it."
    )
    orgs_per_hour: int = setting(
        1_000,
        "Orgs made in an hour from all addresses together: each is kept for ever. Private networks "
        "have as many of their own; the second half is for networks that have made fewer than "
        "three.",
    )
    org_requests_per_s: int = setting(
        1_000,
        "Requests a second of one org, five seconds' worth at once: what leaves others a part of "
        "one core. A request may carry 500 messages.",
    )
    org_queue: int = setting(
        1_000_000,
        "Messages of one org that may wait for a phone or carrier: some 700 MB, and four weeks "
        "of one SIM at the default pace.",
    )
    org_bytes_per_day: int = setting(
        8_589_934_592,
        "Bytes that one org may store in a day, all of them at once, counted as the text and 600 "
        "for each message: some ten million messages.",
    )
    self_made_org_bytes_per_day: int = setting(
        67_108_864,
        "The same of an org that its first phone or webhook made, and not `phonegate org add` or "
        "`org rotate`: 80,000 messages, more than a phone can send or receive.",
    )
    phone_frames_per_s: int = setting(
        500,
        "Frames a second of one phone, five seconds' worth at once; a phone that sends more is "
        "read more slowly, and loses nothing.",
    )
    org_frames_per_s: int = setting(
        5_000,
        "The same of all phones of one org together, a second's worth at once: what leaves others "
        "nine parts of a core.",
    )
    org_phones: int = setting(
        5_000,
        "Phones that one org may have with a device_id, and as many without one, "
        "connected at the same time. A phone that is known comes in whatever the number.",
    )
    org_sims: int = setting(
        10_000, "SIMs that one org may have: those of its phones that are away count as well."
    )
    org_keys: int = setting(1_000, "API keys that one org may have.")
    org_assistants: int = setting(1_000, "Assistants that one org may have.")
    bodies_bytes: int = setting(
        67_108_864,
        "Memory for request bodies that are on their way, all together. Past it one of those is "
        "given up who take most of it, unknown callers first.",
    )
    answers_bytes: int = setting(
        67_108_864,
        "Memory for answers that are on their way, all together; an org may have a quarter of it, "
        "and each of its credentials, or an unknown caller's address, half of that. Past it one of "
        "which nothing was taken for ten seconds is given up, or else the next large answer to a "
        "request to read is refused.",
    )


@attrs.frozen(kw_only=True)
class AlarmSettings:
    """What is told in the log, once when it begins and once when it is over. 0: not watched."""

    phone_away_s: float = setting(
        300.0,
        "Seconds that messages may wait for a phone that is away: a phone that changes "
        "networks is back in a minute or two.",
    )
    queue_age_s: float = setting(
        900.0,
        "Seconds that a message may wait for its turn at a carrier, or at a phone that is "
        "online: a few hundred segments at the default pace.",
    )
    disk_low_bytes: int = setting(
        268_435_456,
        "Least free space of the database's disk, in bytes; below it GET /ready says no. "
        "Room for some 300,000 messages, and time to make more.",
    )
    database_bytes: int = setting(
        0, "Size of the database, in bytes, that is worth a word, such as 4_294_967_296."
    )
    log_bytes: int = setting(
        268_435_456,
        "Size of the write-ahead log, in bytes: it grows past 64 MiB only during a backup, or "
        "when nobody checkpoints.",
    )
    carrier_failures: int = setting(
        5, "Sends in a row that a carrier did not take and did not refuse, as when it is down."
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
        "Which HTTP requests get a line of their own. errors: those that were refused or failed; "
        "changes: also those that are no GET; all: every one, health checks included.",
    )
    trouble_per_s: int = setting(
        10,
        "Lines a second of each kind of trouble, such as refused requests, twenty seconds' worth "
        "at once; the next line counts those left out. 0: all, then anybody can fill the disk.",
    )


@attrs.frozen(kw_only=True)
class Settings:
    """Everything an operator can set, by section of `gateway.toml`."""

    http: HttpSettings = attrs.field(factory=HttpSettings)
    tls: TlsSettings = attrs.field(factory=TlsSettings)
    database: DatabaseSettings = attrs.field(factory=DatabaseSettings)
    orgs: OrgSettings = attrs.field(factory=OrgSettings)
    delivery: DeliverySettings = attrs.field(factory=DeliverySettings)
    pacing: PacingSettings = attrs.field(factory=PacingSettings)
    phones: PhoneSettings = attrs.field(factory=PhoneSettings)
    carriers: CarrierSettings = attrs.field(factory=CarrierSettings)
    operator: OperatorSettings = attrs.field(factory=OperatorSettings)
    retention: RetentionSettings = attrs.field(factory=RetentionSettings)
    limits: LimitSettings = attrs.field(factory=LimitSettings)
    alarms: AlarmSettings = attrs.field(factory=AlarmSettings)
    log: LogSettings = attrs.field(factory=LogSettings)
    assistants: tuple[AssistantSettings, ...] = ()
    """No section: each is a table of its own in the file, and no variable overrides them."""
    sources: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """Where each setting comes from that is not left at its default, by dotted key."""
