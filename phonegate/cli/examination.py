"""The checks of `phonegate check`. They change nothing."""

import contextlib
import os
import platform
import socket
import sqlite3
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from phonegate.bind_address import is_loopback, parse_bind
from phonegate.carriers.registry import unsigned
from phonegate.cli import options
from phonegate.cli.exposure import OTHERS_READ, OTHERS_WRITE, Finding, exposures
from phonegate.config.faults import Fault
from phonegate.config.reader import ConfigError
from phonegate.config.settings import Settings, TlsSettings
from phonegate.domain.alarm_targets import SmsTarget, names, parse_targets
from phonegate.local_ca.authority import AUTHORITY
from phonegate.model.stand_ins import TWILIO_HOST
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import now_ms
from phonegate.operations import offline
from phonegate.operations.control_client import ControlError, NotServing, OwnerRequest, ask
from phonegate.server import CannotListen, CertificateUnusable, ServerError, tls

SAFE_SQLITE = (3, 51, 3)
"""Before this version, commits can be lost when two connections write or checkpoint at once (the
WAL-reset bug). The gateway has only one that does, so it takes another program on the file."""

ASK_S = 5.0

_DAY_MS = 24 * 60 * 60 * 1000
_SOON_DAYS = 30
"""What renews certificates by itself has done so before."""

_TMP = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - these are what is warned of


def examine(config: Path | None, database: Path | None) -> list[Finding]:
    """Runs all checks. Those that need a usable configuration are left out without one."""
    findings = [*_python(), *_sqlite(), *_zipapp(), *_pages()]
    source = options.config_file(config)
    if source is not None and source.exists():
        findings += _written_by_others("configuration", source)
    warned: list[Fault] = []
    try:
        settings = options.settings(config, database, warn=warned.append)
    except ConfigError as error:
        findings += [Finding("fault", "configuration", str(fault)) for fault in error.faults]
        return findings
    finally:
        findings += [Finding("note", "configuration", str(one)) for one in warned]
    origin = str(source) if source else "every default; there is no gateway.toml here"
    findings.append(Finding("fine", "configuration", origin))
    findings += exposures(settings, source)
    path = Path(settings.database.path).absolute()
    serving = _serving(path)
    findings += [*_database(path, serving), *_tls(settings), *_stand_in(settings)]
    findings += _unsigned(settings, path, serving)
    findings += _addresses(settings, serving)
    findings += _modem(settings)
    findings += _notices(settings)
    findings += _missing_orgs(settings, path)
    findings += _admissions(settings, path)
    return findings


def _python() -> Iterator[Finding]:
    # An older Python than is supported never gets here: __main__ refuses it.
    yield Finding("fine", "Python", f"{platform.python_version()} ({sys.executable})")


def _pages() -> Iterator[Finding]:
    """Loads what a gateway loads with the first request that needs it."""
    try:
        import phonegate.applications  # noqa: PLC0415 - as a gateway does
        import phonegate.pages.app  # noqa: PLC0415 - as above
        import phonegate.server.asgi  # noqa: F401, PLC0415 - as above
    except Exception as error:  # noqa: BLE001 - whatever it is of whatever package
        text = f"can't be loaded: {type(error).__name__}: {error}. Install phonegate anew"
        yield Finding("fault", "web pages", text)


def _sqlite() -> Iterator[Finding]:
    try:
        offline.check_sqlite()
    except StoreError as error:
        yield Finding("fault", "SQLite", str(error))
        return
    yield Finding("fine", "SQLite", sqlite3.sqlite_version)
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        yield Finding(
            "note",
            "SQLite",
            "before 3.51.3, commits can be lost when another program writes to the database "
            "while the gateway serves; use `phonegate backup` and `phonegate org`, not sqlite3",
        )


def _zipapp() -> Iterator[Finding]:
    """Yields where the zipapp unpacks itself, if this is one."""
    if "_bootstrap" not in sys.modules:
        return
    root = Path(os.environ.get("SHIV_ROOT") or Path.home() / ".shiv")
    about = "zipapp"
    if not os.access(root, os.W_OK | os.X_OK):
        yield Finding(
            "fault", about, f"{root} can't be written; set SHIV_ROOT to a folder that can"
        )
    elif any(root.resolve().is_relative_to(folder) for folder in _TMP):
        yield Finding("note", about, f"{root} is cleaned up by the system; set SHIV_ROOT elsewhere")
    else:
        yield Finding("fine", about, f"unpacked to {root}")
    yield from _written_by_others(about, root)


def _serving(path: Path) -> str | None:
    """Returns the status of the gateway that serves this database, or None where none does."""
    try:
        status = ask(path, OwnerRequest("GET", "/status"), timeout_s=ASK_S)
    except NotServing:
        return None
    except ControlError as error:
        return str(error)
    return f"served by phonegate {status['version']}, process {status['pid']}"


def _database(path: Path, serving: str | None) -> Iterator[Finding]:
    if serving is not None:
        yield Finding("note", "database", f"{path} is {serving}")
    else:
        try:
            there = offline.has_database(path)
        except StoreError as error:
            yield Finding("fault", "database", str(error))
            return
        state = str(path) if there else f"{path} will be made at the first start"
        yield Finding("fine", "database", state)
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & (OTHERS_READ | OTHERS_WRITE):
            yield Finding(
                "note", "database", f"{file} can be read by others; the next start mends that"
            )


def _tls(settings: Settings) -> Iterator[Finding]:
    try:
        context = tls.context(settings.tls)
    except ServerError as error:
        yield Finding("fault", "TLS", str(error))
        return
    if context is None:
        return
    certificate, key = settings.tls.certificate, settings.tls.key
    yield Finding("fine", "TLS", f"{certificate} and {key} fit each other")
    yield from _end("TLS", settings.tls)


def _end(about: str, files: TlsSettings) -> Iterator[Finding]:
    """Yields that a certificate has ended or soon ends."""
    ends_at = tls.ends_at(files)
    if ends_at is None:
        return
    left = (ends_at - now_ms()) / _DAY_MS
    day = datetime.fromtimestamp(ends_at / 1000, UTC).strftime("%Y-%m-%d")
    if left <= 0:
        text = f"{files.certificate} has ended ({day}), and clients refuse it: renew it"
        yield Finding("fault", about, text)
    elif left < _SOON_DAYS:
        text = f"{files.certificate} ends in {int(left)} days ({day}): renew it"
        yield Finding("note", about, text)


def _stand_in(settings: Settings) -> Iterator[Finding]:
    """Yields how the gateway would do in place of Twilio's host, where it is to."""
    if not settings.stand_in.enabled:
        return
    # Imported here: most gateways stand in for none.
    from phonegate.operations import stand_ins  # noqa: PLC0415

    about, files = "stand-in", stand_ins.certificate(settings)
    try:
        tls.context(files)
    except CertificateUnusable as error:
        text = f"{error.detail} `phonegate certificate --stand-in {TWILIO_HOST}` makes it"
        yield Finding("fault", about, text)
    else:
        text = f"programs that trust {Path(files.certificate).with_name(AUTHORITY)} take this "
        yield Finding("fine", about, f"{text}gateway for {TWILIO_HOST}")
        yield from _end(about, files)
    if problem := stand_ins.loop_problem(settings):
        yield Finding("fault" if stand_ins.harms(settings) else "note", about, problem)


def _unsigned(settings: Settings, path: Path, serving: str | None) -> Iterator[Finding]:
    """Yields assistants whose carrier's callbacks have no signature that can be verified."""
    found = {
        f"{one.name} of {one.org}": reason
        for one in settings.assistants
        if (reason := unsigned(one.provider, one.credentials))
    }
    if serving is not None:
        with contextlib.suppress(ControlError):
            answer = ask(path, OwnerRequest("GET", "/unsigned_callbacks"), timeout_s=ASK_S)
            found |= {
                f"{one['name']} of {one['org']}": one["reason"] for one in answer["assistants"]
            }
    for name, reason in sorted(found.items()):
        yield Finding("note", "assistants", f"{name}: {reason}")


def _addresses(settings: Settings, serving: str | None) -> Iterator[Finding]:
    operator = settings.operator
    named = {
        "[http] bind": settings.http.bind,
        "[http] plain_bind": settings.http.plain_bind,
        "[stand_in] bind": settings.stand_in.bind if settings.stand_in.enabled else (),
        "[operator] bind": tuple(filter(None, [operator.bind])),
    }
    for setting, bind in ((setting, bind) for setting, binds in named.items() for bind in binds):
        host, port = parse_bind(bind)
        reason = _why_not(host, port)
        if reason is None:
            yield Finding("fine", "address", f"{bind} is free")
        elif serving is not None:
            yield Finding("note", "address", f"{bind} is in use, while the gateway serves")
        else:
            yield Finding("fault", "address", str(CannotListen(bind, reason, setting)))
    if operator.bind and not operator.token and not is_loopback(parse_bind(operator.bind)[0]):
        text = f"anyone who reaches {operator.bind} can read the metrics: set a token"
        yield Finding("note", "operator", text)


def _modem(settings: Settings) -> Iterator[Finding]:
    """Yields whether the modem of `[modem]` can be reached. It is not touched."""
    if not settings.modem.enabled:
        return
    # Imported here: most gateways have no modem.
    import trio  # noqa: PLC0415

    from phonegate.phone.radios.modem.inquiry import inquire  # noqa: PLC0415 - as above

    trouble = trio.run(inquire, settings.modem.imei or None)
    if trouble is None:
        yield Finding("fine", "modem", "ModemManager has it")
    else:
        # The gateway serves all the same, and tries it again and again.
        yield Finding("note", "modem", trouble.sentence)


def _notices(settings: Settings) -> Iterator[Finding]:
    """Yields whether the targets of alarms can be used. None of them is called."""
    # Imported here: it loads much, and most gateways have none.
    from phonegate.operations.notices.notifier import target_faults  # noqa: PLC0415

    targets = parse_targets(settings.alarms.notify)
    if not targets:
        return
    faults = target_faults(settings)
    for fault in faults:
        yield Finding("fault", "alarms", str(fault))
    if not faults:
        text = f"{', '.join(names(targets))} (`phonegate alarms test` tries them)"
        yield Finding("fine", "alarms", text)


def _missing_orgs(settings: Settings, path: Path) -> Iterator[Finding]:
    """Yields orgs that the configuration names and the gateway does not have."""
    named = [
        (target.org, "alarms", f"no alarm reaches the target sms:{target.org}")
        for target in parse_targets(settings.alarms.notify)
        if isinstance(target, SmsTarget)
    ]
    if settings.modem.enabled:
        named.append((settings.modem.org, "modem", "the modem is no phone"))
    if not named:
        return
    try:
        answer = ask(path, OwnerRequest("GET", "/orgs"), timeout_s=ASK_S)
        there = frozenset(one["org"] for one in answer["orgs"])
    except ControlError:
        there = offline.orgs(path)
    for org, about, effect in dict.fromkeys(named):
        if org not in there:
            text = f"there is no org {org}, so {effect}: `phonegate org add {org}` makes it"
            yield Finding("note", about, text)


def _admissions(settings: Settings, path: Path) -> Iterator[Finding]:
    """Yields which callers may make an org, and which orgs have a published secret."""
    try:
        answer = ask(path, OwnerRequest("GET", "/registration"), timeout_s=ASK_S)
        mode, source, published = (
            answer[field] for field in ("registration", "source", "published_secrets")
        )
    except (ControlError, KeyError):
        rule, published = offline.registration(settings, path)
        mode, source = rule.mode, rule.source
    about, http = "registration", settings.http
    every = (*http.bind, *http.plain_bind)
    reached = [bind for bind in every if not is_loopback(parse_bind(bind)[0])]
    if mode == "open" and reached:
        yield Finding(
            "note",
            about,
            f"open ({source}), so every caller who reaches {', '.join(reached)} can make an org "
            "and store messages. `phonegate registration local` lets only private networks do so",
        )
    else:
        yield Finding("fine", about, f"{mode} ({source})")
    if http.public_url.startswith("https:") and not (settings.tls.key or http.trusted_proxies):
        yield Finding(
            "note",
            about,
            "a proxy speaks TLS for public_url, and [http] trusted_proxies does not name it: what "
            "it passes on counts as coming from anywhere, or from here if it does not tell",
        )
    for org in published:
        yield Finding(
            "note",
            "secret",
            f"that of {org} stands in the documents, so everybody has it: "
            f"`phonegate org rotate {org}`",
        )


def _why_not(host: str, port: int) -> str | None:
    """Returns why an address can't be listened on, or None where it can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                # As the gateway does: lingering connections of an earlier run don't count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def _written_by_others(about: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & OTHERS_WRITE:
        yield Finding("note", about, f"{path} can be changed by others: chmod go-w it")
