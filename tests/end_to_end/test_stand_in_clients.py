"""Programs that know no host but api.twilio.com send through the gateway, unchanged.

The name leads to the gateway by a hosts file. The rest are settings as docs/recipes.md prints them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from websockets.sync.client import connect

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S
from tests.recipes import monitoring
from tests.recipes.recipe import ACCOUNT, KEY, ORG, SIM, TO

from .node_packages import package_folder
from .redirected import Redirected, hindrance, own_loopback

HOST = "api.twilio.com"
TEXT = 'Host "db-1" is down & out: 100 % ü 🎉'
NODE_TWILIO = "twilio@6.3.1"

_HINDRANCE = hindrance()
pytestmark = pytest.mark.skipif(_HINDRANCE is not None, reason=str(_HINDRANCE))


@attrs.frozen(kw_only=True)
class World:
    """A gateway in place of the host, with an org that has a SIM."""

    gateway: GatewayProcess
    folder: Path
    secret: str = attrs.field(repr=False)
    account: str
    key: str = attrs.field(repr=False)

    @property
    def bundle(self) -> str:
        return str(self.folder / "stand-in" / "bundle.crt")

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs a program for which the host is the gateway."""
        hosts = Redirected(self.folder / "hosts", {HOST: own_loopback()})
        return hosts.run(words, {"SID": self.account, "TOKEN": self.key, **environment})

    def newest(self) -> tuple[str, str]:
        """The recipient and the text of the newest SMS."""
        messages: list[dict[str, Any]] = _json(
            "-H", f"X-Secret-Key: {self.secret}", f"{self.gateway.url}/messages/{ORG}?limit=1000"
        )["messages"]
        newest = max(messages, key=lambda one: int(one["id"]))
        return newest["address"], newest["body"]


def _json(*words: str) -> Any:
    command = ["curl", "-sS", "--fail-with-body", "--max-time", "60", *words]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _phonegate(folder: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words, "--json"],
        cwd=folder,
        env={**os.environ, "PHONEGATE_DATABASE_PATH": "x.db"},
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("stand_in_clients")
    _phonegate(folder, "certificate", "--stand-in", HOST)
    settings = {"STAND_IN_ENABLED": "true", "STAND_IN_BIND": f"{own_loopback()}:443"}
    with GatewayProcess(folder / "x.db", settings=settings) as gateway:
        secret = _phonegate(folder, "org", "add", ORG)["secret"]
        scopes = ("--scope", "send", "--scope", "read")
        key = _phonegate(folder, "key", "add", ORG, "program", *scopes)["key"]
        link = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}&secret_key={secret}"
        with connect(link, open_timeout=PATIENCE_S) as phone:
            phone.recv()
            phone.send(json.dumps({"type": "sims", "sims": [{"slot": 0, "number": SIM}]}))
            phone.send('{"type":"ping"}')
            phone.recv()
        accounts = f"{gateway.url}/2010-04-01/Accounts.json"
        (account,) = _json("-u", f"{ORG}:{key}", accounts)["accounts"]
        yield World(gateway=gateway, folder=folder, secret=secret, account=account["sid"], key=key)


PYTHON = f"""
import os
from twilio.rest import Client
client = Client(os.environ["SID"], os.environ["TOKEN"])
sent = client.messages.create(to="{TO}", from_="{SIM}", body={TEXT + " by Python"!r})
print(client.messages(sent.sid).fetch().body == sent.body, sent.status)
"""


def test_twilios_own_library_for_python(world: World) -> None:
    done = world.run(sys.executable, "-c", PYTHON, REQUESTS_CA_BUNDLE=world.bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True "), done.stdout
    assert world.newest() == (TO, f"{TEXT} by Python")
    untrusting = world.run(sys.executable, "-c", PYTHON)
    assert "CERTIFICATE_VERIFY_FAILED" in untrusting.stderr


NODE = f"""
const client = require('twilio')(process.env.SID, process.env.TOKEN);
client.messages.create({{ to: '{TO}', from: '{SIM}', body: {json.dumps(TEXT + " by Node")} }})
  .then(sent => client.messages(sent.sid).fetch().then(got => console.log(got.body === sent.body)));
"""


def test_twilios_own_library_for_node(world: World) -> None:
    packages = str(package_folder(NODE_TWILIO))
    trusted = str(world.folder / "stand-in" / "ca.crt")
    done = world.run("node", "-e", NODE, NODE_PATH=packages, NODE_EXTRA_CA_CERTS=trusted)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "true\n"
    assert world.newest() == (TO, f"{TEXT} by Node")


def test_apprise(world: World) -> None:
    (way,) = [one for one in monitoring.APPRISE.ways if one.stand_in]
    url = way.settings["URL"].replace(ACCOUNT, world.account)
    # As the recipe says.
    url = url.replace(KEY, world.key.replace("_", ""))
    program = str(Path(sys.executable).with_name("apprise"))
    words = (program, "--body", TEXT, url)
    done = world.run(*words, REQUESTS_CA_BUNDLE=world.bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.newest() == (TO, TEXT)
    assert world.run(*words).returncode == 1


PHP = """
$call = curl_init('https://api.twilio.com/2010-04-01/Accounts/' . getenv('SID') . '/Messages.json');
curl_setopt($call, CURLOPT_USERPWD, getenv('SID') . ':' . getenv('TOKEN'));
curl_setopt($call, CURLOPT_POSTFIELDS, http_build_query(json_decode($argv[1])));
curl_setopt($call, CURLOPT_RETURNTRANSFER, true);
$answer = curl_exec($call);
echo $answer === false ? curl_error($call) : $answer;
"""


def test_a_program_in_php(world: World) -> None:
    content = json.dumps({"To": TO, "From": SIM, "Body": f"{TEXT} by PHP"})
    setting = ("-d", f"curl.cainfo={world.bundle}")
    done = world.run("php", *setting, "-r", PHP, "--", content)
    assert json.loads(done.stdout)["sid"].startswith("SM"), done.stdout
    assert world.newest() == (TO, f"{TEXT} by PHP")
    assert "certificate" in world.run("php", "-r", PHP, "--", content).stdout


def test_a_program_that_calls_itself_a_browser_is_none(world: World) -> None:
    """The host is one that anyone may own, as those of pages are that lead a browser here."""
    url = f"https://{HOST}/2010-04-01/Accounts/{world.account}.json"
    words = ("curl", "-sS", "-A", "Mozilla/5.0 (compatible; App/1.0)", "-u", "a:b", url)
    done = world.run(*words, CURL_CA_BUNDLE=world.bundle)
    assert json.loads(done.stdout)["code"] == 20003, done.stdout
