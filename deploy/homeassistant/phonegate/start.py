"""Starts phonegate as an add-on of Home Assistant: turns its options into gateway.toml.

It needs Python's own library alone. It runs as root, and the gateway without the rights of root.
"""

import json
import os
import pwd
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DATA = Path("/data")
"""The add-on's own folder, which lasts."""
CERTIFICATES = Path("/ssl")
"""Where Home Assistant keeps certificates."""
OPTIONS = "options.json"
"""What Home Assistant writes there: the add-on's options, as its page has them."""
SUPERVISOR = "http://supervisor"
TOKENS = ("SUPERVISOR_TOKEN", "HASSIO_TOKEN")
"""Variables by which the Supervisor lets add-ons ask it. The second is the same, of before."""
USER = "phonegate"

PORT = 8080
"""Of phones and programs, within the add-on."""
INGRESS_PORT = 8099
"""Of Home Assistant, which speaks plain HTTP."""
PROXIES = ("172.30.32.1", "172.30.32.2")
"""Home Assistant and its Supervisor, which pass on what the sidebar's page asks for."""

ASK_S = 5.0
"""Seconds for the Supervisor, which is on the same machine, to answer."""

LOOK_S = 3600
"""Seconds between two looks at whether the certificate was renewed."""

COPIES = {"certfile": "tls.crt", "keyfile": "tls.key"}
"""The options that name the files of a certificate, and what their copies are called."""

NAMED = {"registration": "orgs.registration", "log_level": "log.level", "notify": "alarms.notify"}
"""Options that are settings of the same values."""


def main() -> None:
    """Writes the configuration and becomes the gateway."""
    options = json.loads((DATA / OPTIONS).read_text())
    public_url = options.get("public_url") or own_url(
        ask("/network/info"), ask("/addons/self/info"), secure=bool(options.get("ssl"))
    )
    text = configuration(options, public_url)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        sys.exit(
            f'phonegate: one of the lines under "More settings" is not as gateway.toml has them, '
            f"or sets what another option sets: {error}"
        )
    user = pwd.getpwnam(USER) if os.geteuid() == 0 else None
    place(DATA / "gateway.toml", text.encode(), user)
    for path in (DATA, *DATA.iterdir()):
        if path.name != OPTIONS:
            own(path, user)
    sys.exit(run(["phonegate", "serve", "--config", str(DATA / "gateway.toml")], options, user))


def run(command: list[str], options: Mapping[str, Any], user: pwd.struct_passwd | None) -> int:
    """Runs the gateway without the rights of root, until it ends. Returns how it ended.

    This process stays, since the gateway can't read the certificates itself, and they are renewed.
    """
    copy_certificate(options, user)
    rights: dict[str, Any] = {}
    if user is not None:
        rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # The gateway has no use for the Supervisor's token, which can change other add-ons.
    environ = {name: value for name, value in os.environ.items() if name not in TOKENS}
    with subprocess.Popen(command, cwd=DATA, env=environ, **rights) as process:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: process.send_signal(number))
        # Python waits with a deadline by looking twenty times a second.
        look_s = LOOK_S if options.get("ssl") else None
        while True:
            try:
                return process.wait(look_s)
            except subprocess.TimeoutExpired:
                copy_certificate(options, user)


def copy_certificate(options: Mapping[str, Any], user: pwd.struct_passwd | None) -> None:
    """Puts a copy of the certificate where the gateway can read it, which sees that it is new."""
    if not options.get("ssl"):
        return
    try:
        files = [(CERTIFICATES / options[name]).read_bytes() for name in COPIES]
    except OSError as error:
        if not all((DATA / name).exists() for name in COPIES.values()):
            sys.exit(f"phonegate: {error.filename} can't be read: {error.strerror}")
        return  # it is being renewed, perhaps
    for copy, content in zip(COPIES.values(), files, strict=True):
        if not (DATA / copy).exists() or (DATA / copy).read_bytes() != content:
            place(DATA / copy, content, user)


def place(path: Path, content: bytes, user: pwd.struct_passwd | None) -> None:
    """Writes a file that the gateway alone can read, in one step."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    own(new, user)
    new.replace(path)


def own(path: Path, user: pwd.struct_passwd | None) -> None:
    """Gives a file to a user."""
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def ask(path: str) -> Mapping[str, Any]:
    """Asks the Supervisor. What it does not answer is nothing: an address can be set by hand."""
    request = urllib.request.Request(
        SUPERVISOR + path,
        headers={"Authorization": f"Bearer {os.environ.get(TOKENS[0], '')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            data = json.load(answer)["data"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"phonegate: the Supervisor does not answer {path}: {error}", file=sys.stderr)
        return {}
    return data if isinstance(data, dict) else {}


def own_url(network: Mapping[str, Any], add_on: Mapping[str, Any], *, secure: bool) -> str:
    """Returns the address at which other devices of the network reach the add-on.

    Args:
        network: What the Supervisor says of the machine's network (`/network/info`).
        add_on: What it says of this add-on (`/addons/self/info`).
        secure: Whether the port speaks HTTPS.

    Returns:
        Such as `http://192.168.1.10:8080`. Empty where it is not known, or the port is closed.
    """
    port = (add_on.get("network") or {}).get(f"{PORT}/tcp")
    interfaces = network.get("interfaces") or []
    for interface in sorted(interfaces, key=lambda one: not one.get("primary")):
        for address in (interface.get("ipv4") or {}).get("address") or []:
            if port and interface.get("enabled", True):
                scheme = "https" if secure else "http"
                return f"{scheme}://{address.partition('/')[0]}:{port}"
    return ""


def configuration(options: Mapping[str, Any], public_url: str) -> str:
    """Returns the text of gateway.toml."""
    return "".join(f"{line}\n" for line in _lines(options, public_url))


def _lines(options: Mapping[str, Any], public_url: str) -> Iterator[str]:
    yield "# Made from the add-on's options at each start."
    yield f"http.bind = {_written([f'0.0.0.0:{PORT}'])}"
    yield f"http.plain_bind = {_written([f'0.0.0.0:{INGRESS_PORT}'])}"
    yield f"http.trusted_proxies = {_written(PROXIES)}"
    yield f"http.public_url = {_written(public_url)}"
    yield f"database.path = {_written(str(DATA / 'phonegate.db'))}"
    if options.get("ssl"):
        yield f"tls.certificate = {_written(str(DATA / COPIES['certfile']))}"
        yield f"tls.key = {_written(str(DATA / COPIES['keyfile']))}"
    for name, setting in NAMED.items():
        if name in options:
            yield f"{setting} = {_written(options[name])}"
    yield from options.get("settings", ())


def _written(value: object) -> str:
    """Writes a text or a list of them as TOML, whose strings are those of JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


if __name__ == "__main__":
    main()
