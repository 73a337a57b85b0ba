"""What is tried with the image and each of the compose files. Each step prints what it saw."""

import json
import os
import re
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import httpx
import websockets.sync.client

from phonegate.model.stand_ins import TWILIO_HOST
from trials.image import foreign, project
from trials.image.engine import CommandFailed, Engine
from trials.image.project import Project, running, until
from trials.installs.way import SEEN

ORG = "myorg"
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
NUMBER = "+15551112222"
USER = 10_001
"""Of the image."""
PROMPT_S = 2.0
"""Until an event is through a proxy that does not hold it back."""


@attrs.frozen
class Ground:
    """What the steps stand on."""

    engine: Engine
    clone: Path
    image: str
    base: str


def say(what: str) -> None:
    print(f"  {what}", flush=True)


def expect(seen: object, what: str) -> None:
    if not seen:
        raise CommandFailed(f"not so: {what}")
    say(f"ok: {what}")


def printed(page: Path, mark: str) -> str:
    """The one block of shell lines of a page that has the mark."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if mark in block)
    return str(block)


def received(secret: str, text: str) -> dict[str, Any]:
    """What a phone pushes of an SMS that it received."""
    message = {"address": NUMBER, "body": text, "date": 1, "id": text}
    return {"org_id": ORG, "secret_key": secret, "messages": [message]}


def push(client: httpx.Client, secret: str, text: str) -> int:
    """Stores a received SMS. Returns the status."""
    return client.post("/webhook", json=received(secret, text)).status_code


def texts(client: httpx.Client, secret: str) -> list[str]:
    answer = client.get(f"/messages/{ORG}?limit=1000", headers={"X-Secret-Key": secret})
    return [message["body"] for message in answer.json()["messages"]]


def add_org(running_project: Project) -> str:
    """Makes the org. Returns its secret."""
    made = json.loads(running_project.gateway("org", "add", ORG, "--json"))
    return str(made["secret"])


def demo(ground: Ground) -> None:
    """One message each way, in a container that may write nothing."""
    began = time.monotonic()
    shown = ground.engine.docker("run", "--rm", *HARDENED, ground.image, "demo", "--once")
    seconds = time.monotonic() - began
    expect(SEEN in shown, f"`docker run IMAGE demo --once` on a read-only root ({seconds:.1f} s)")


def alone(ground: Ground) -> None:
    """compose.yaml as it is: set-up, rights, health, stop, and that no data are lost."""
    port = project.free_port()
    published = [f"127.0.0.1:{port}:8080"]
    with running(ground.engine, ground.clone, ports={project.SERVICE: published}) as found:
        seconds = found.wait_until_healthy()
        say(f"healthy {seconds:.1f} s after the start")
        link = found.gateway("setup").strip()
        log = found.compose("logs", "--no-log-prefix", project.SERVICE)
        expect(f"Set up      {link}" in log, "the log and `phonegate setup` show the set-up link")
        expect("exposed" not in log, "the gateway finds nothing exposed")
        page = httpx.get(f"http://127.0.0.1:{port}{httpx.URL(link).path}")
        expect(page.status_code == 200, "the link opens at the published port")
        expect("ok" in found.gateway("check"), "`phonegate check` finds no fault")
        ids = found.compose("exec", "-T", project.SERVICE, "id", "-u").strip()
        expect(ids == str(USER), f"it runs as the user {USER}")
        capable = found.compose("exec", "-T", project.SERVICE, "cat", "/proc/1/status")
        expect("CapEff:\t0000000000000000" in capable, "it has no capability")
        secret = add_org(found)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            expect(push(client, secret, "kept") == 200, "a message is stored")
            began = time.monotonic()
            found.compose("stop")
            seconds = time.monotonic() - began
            code = found.inspected()["State"]["ExitCode"]
            expect(code == 0 and seconds < 15, f"it stops by itself ({seconds:.1f} s)")
            found.compose("start")
            until(lambda: texts(client, secret) == ["kept"], "the message after a new start")
        written = ground.engine.docker("diff", found.container()).split("\n")
        expect(not [line for line in written if line], "it wrote nothing beside its volume")
        usage = ground.engine.docker(
            *("stats", "--no-stream", "--format", "{{.MemUsage}}", found.container())
        )
        say(f"memory: {usage.strip()}")
    restore(ground)


def restore(ground: Ground) -> None:
    """The lines of docs/install.md that back up and restore."""
    page = ground.clone / "docs" / "install.md"
    port = project.free_port()
    published = [f"127.0.0.1:{port}:8080"]
    with (
        running(ground.engine, ground.clone, ports={project.SERVICE: published}) as found,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        found.wait_until_healthy()
        secret = add_org(found)
        push(client, secret, "before")
        found.lines(printed(page, "phonegate backup /data"))
        push(client, secret, "after")
        found.lines(printed(page, "docker compose stop"))
        until(lambda: texts(client, secret) == ["before"], "the message of the backup")
        expect(push(client, secret, "later") == 200, "a backup is restored as the page says")


def strangers(ground: Ground) -> None:
    """Why the image leaves the making of orgs to its owner."""
    if not ground.engine.private:
        say("left out: it needs an engine without rules of a firewall")
        return
    port = project.free_port()
    published = [f"127.0.0.1:{port}:8080", f"{foreign.HERE}:{port}:8080"]
    body = json.dumps(received("a-secret-of-theirs", "hello"))
    words = ["--json", body, f"http://{foreign.HERE}:{port}/webhook"]
    with foreign.foreigner() as caller:
        ports = {project.SERVICE: published}
        with running(ground.engine, ground.clone, ports=ports) as found:
            found.wait_until_healthy()
            status = caller.curl(*words)
            expect(status == "401", f"a caller from elsewhere can't make an org ({status})")
        with running(ground.engine, ground.clone, ports=ports, start=False) as found:
            # As if compose.yaml and the image left the rule as it is without a container.
            loose = ground.clone.parent / "loose.yaml"
            rule = "{PHONEGATE_ORGS_REGISTRATION: local}"
            loose.write_text(f"services:\n  {project.SERVICE}:\n    environment: {rule}\n")
            files = f"$COMPOSE_FILE:{loose}"
            found.lines(f"COMPOSE_FILE={files} docker compose up --detach --no-build")
            found.wait_until_healthy()
            status = caller.curl(*words)
            expect(status == "200", f"with `local` it could: docker-proxy hides it ({status})")


def caddy(ground: Ground) -> None:
    """HTTPS by the very Caddyfile: a phone's websocket and a stream of events through it."""
    port = project.free_port()
    with running(
        ground.engine,
        ground.clone,
        "caddy",
        ports={"caddy": [f"127.0.0.1:{port}:443"]},
        # For this name Caddy is its own authority, and asks none on the Internet.
        environment={"PHONEGATE_DOMAIN": "localhost"},
    ) as found:
        found.wait_until_healthy()
        bindings = found.inspected()["HostConfig"]["PortBindings"]
        expect(not bindings, "the gateway's own port is not published")
        secret = add_org(found)
        root = ground.clone.parent / "caddy-root.crt"
        copy = ["cp", "caddy:/data/caddy/pki/authorities/local/root.crt", str(root)]
        until(lambda: (found.compose(*copy), root.exists())[1], "Caddy's authority")
        context = ssl.create_default_context(cafile=root)
        with httpx.Client(base_url=f"https://localhost:{port}", verify=context) as client:
            until(lambda: client.get("/health").is_success, "an answer through Caddy")
            say("ok: HTTPS with the certificate of Caddy's own authority")
            phone_through(client, context, port, secret)
            stream_through(client, secret)
        log = found.compose("logs", "--no-log-prefix", project.SERVICE)
        expect("proxy_not_named" not in log, "the gateway believes Caddy about who calls")
        expect(secret not in found.compose("logs", "caddy"), "Caddy's log holds no secret")


def phone_through(client: httpx.Client, context: ssl.SSLContext, port: int, secret: str) -> None:
    url = f"wss://localhost:{port}/websocket?org_id={ORG}&secret_key={secret}"
    with websockets.sync.client.connect(url, ssl=context) as phone:
        phone.recv(10)
        phone.send(json.dumps({"type": "sims", "sims": [{"slot": 0, "number": NUMBER}]}))
        sims = f"/sims/{ORG}"
        credential = {"X-Secret-Key": secret}
        until(lambda: NUMBER in client.get(sims, headers=credential).text, "the phone's SIM")
        sent = client.post(
            f"/send/{ORG}", json={"to": "+15553334444", "body": "hi"}, headers=credential
        )
        expect(sent.status_code == 200, "an app sends through Caddy")
        frame = json.loads(phone.recv(10))
        while frame["type"] != "send_sms":
            frame = json.loads(phone.recv(10))
        expect(frame["body"] == "hi", "a phone gets it over its websocket through Caddy")


def stream_through(client: httpx.Client, secret: str) -> None:
    headers = {"X-Secret-Key": secret, "Accept": "text/event-stream"}
    with client.stream("GET", f"/events/{ORG}", headers=headers, timeout=20) as stream:
        began = time.monotonic()
        push(client, secret, "streamed")
        for line in stream.iter_lines():
            if "streamed" in line:
                break
        seconds = time.monotonic() - began
    expect(seconds < PROMPT_S, f"an event is through Caddy at once ({seconds * 1000:.0f} ms)")


def litestream(ground: Ground) -> None:
    """The copy by Litestream, and its restore as the file's first lines say."""
    file = ground.clone / "deploy" / "docker" / "compose.litestream.yaml"
    copy = ground.clone.parent / "copy"
    copy.mkdir(mode=0o700)
    os.chown(copy, USER, USER)
    port = project.free_port()
    with (
        running(
            ground.engine,
            ground.clone,
            "litestream",
            ports={project.SERVICE: [f"127.0.0.1:{port}:8080"]},
            environment={"PHONEGATE_COPY": str(copy)},
        ) as found,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        secret = add_org(found)
        stored = [f"message {n}" for n in range(50)]
        expect({push(client, secret, text) for text in stored} == {200}, "50 messages are stored")
        log = found.compose("logs", "litestream")
        expect("level=ERROR" not in log, "Litestream replicates beside the gateway")
        time.sleep(3)  # three times its sync-interval: what was stored before is in the copy
        found.compose("kill", "--signal", "KILL")
        empty = "rm -rf /data/phonegate.db* /data/.phonegate.db*"
        once = ("run", "--rm", "--no-deps", "-T")
        found.compose(*once, "--entrypoint", "sh", project.SERVICE, "-c", empty)
        found.compose(*once, *restoring(file))
        found.compose("up", "--detach", "--no-build")
        until(lambda: sorted(texts(client, secret)) == sorted(stored), "what was restored")
        say("ok: killed, emptied, restored from the copy: all 50 are there")
        expect(push(client, secret, "later") == 200, "the restored gateway takes another")


def restoring(file: Path) -> Sequence[str]:
    """The words of the restore, from the service on, as the file prints them."""
    (words,) = re.findall(
        r"run --rm --no-deps (litestream restore .*)$", file.read_text(), re.MULTILINE
    )
    return str(words).split()


def stand_in(ground: Ground) -> None:
    """The alias: another container reaches the gateway by the name, and trusts it."""
    asked = (
        "import urllib.request, urllib.error\n"
        "try: urllib.request.urlopen('https://" + TWILIO_HOST + "/2010-04-01/Nothing.json')\n"
        "except urllib.error.HTTPError as error: print(error.read().decode())\n"
    )
    with running(
        ground.engine, ground.clone, "stand-in", ports={project.SERVICE: []}, start=False
    ) as found:
        found.compose("run", "--rm", project.SERVICE, "certificate", "--stand-in", TWILIO_HOST)
        found.compose("up", "--detach", "--no-build")
        found.wait_until_healthy()
        page = ground.clone / "docs" / "stand-in.md"
        found.lines(printed(page, "docker compose cp"))
        authority = ground.clone / "stand-in-ca.crt"
        answer: Any = ground.engine.docker(
            *("run", "--rm", "--network", "phonegate-trial_twilio"),
            *("--volume", f"{authority}:/ca.crt:ro", "--env", "SSL_CERT_FILE=/ca.crt"),
            *(ground.base, "python3", "-c", asked),
        )
        expect("phonegate" in answer, f"another container reaches it as {TWILIO_HOST}")


STEPS = {
    "demo": demo,
    "alone": alone,
    "strangers": strangers,
    "caddy": caddy,
    "litestream": litestream,
    "stand-in": stand_in,
}
