"""In place of api.twilio.com: programs that know no other host, and how each is made to trust it.

Nothing of the programs is changed. The name leads to the gateway by a hosts file, and what
`phonegate certificate --stand-in` has made is trusted by a variable or setting of the runtime.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from kit.gateway import GatewayProcess
from phonegate.local_ca.authority import find_signer
from phonegate.local_ca.names import parse
from tests.local_ca.test_authority import served

from .redirected import Redirected, hindrance, own_loopback

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "stand-in.md"
HOST = "api.twilio.com"
OTHER = "bank.example"
REACHED = '"code": 20404'
"""Twilio's code for an address that it does not have, which is what these programs ask for."""

_HINDRANCE = hindrance()
pytestmark = pytest.mark.skipif(_HINDRANCE is not None, reason=str(_HINDRANCE))


@attrs.frozen(kw_only=True)
class World:
    """A gateway in place of the host, and what was made for it."""

    folder: Path
    address: str
    """Where it serves the host."""

    @property
    def files(self) -> Path:
        return self.folder / "stand-in"

    def redirected(self) -> Redirected:
        names = {HOST: self.address, OTHER: "127.0.0.1"}
        return Redirected(self.folder / "hosts", names)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("stand_in")
    words = [sys.executable, "-m", "phonegate", "certificate", "--stand-in", HOST]
    subprocess.run([*words, "--database", "x.db"], cwd=folder, check=True, capture_output=True)
    address = own_loopback()
    settings = {"STAND_IN_ENABLED": "true", "STAND_IN_BIND": f"{address}:443"}
    with GatewayProcess(folder / "x.db", settings=settings):
        yield World(folder=folder, address=address)


@attrs.frozen(kw_only=True)
class Runtime:
    """A language or library that speaks HTTPS.

    Attributes:
        name: As the document calls it.
        setting: What makes it trust the gateway, as the document prints it.
        words: The program and its arguments, to which the address is added.
        prepare: Makes what the setting names, of the stand-in's folder.
    """

    name: str
    setting: str
    words: tuple[str, ...]
    prepare: Callable[[Path], None] = lambda _: None

    def command(self, url: str, files: Path | None) -> tuple[list[str], dict[str, str]]:
        """Returns the command and its variables. Without files it trusts what it always does."""
        words, environment = [*self.words, url], {}
        if files is not None:
            self.prepare(files)
            setting = self.setting.replace("/etc/phonegate/stand-in", str(files))
            option, _, value = setting.partition("=")
            if option.isupper():
                environment[option] = value
            else:
                words[1:1] = ["-d", f"{option.strip()}={value.strip()}"]
        return words, environment


PYTHON = {
    "requests": "import requests, sys; print(requests.get(sys.argv[1]).text)",
    "httpx": "import httpx, sys; print(httpx.get(sys.argv[1]).text)",
    "aiohttp": """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession() as session, session.get(sys.argv[1]) as answer:
        print(await answer.text())
asyncio.run(main())""",
}
NODE = {
    "fetch": "fetch(process.argv[1]).then(a => a.text()).then(console.log)",
    "https": "require('https').get(process.argv[1], a => a.pipe(process.stdout))",
}
PHP = {
    "curl": """
$call = curl_init($argv[1]);
curl_setopt($call, CURLOPT_RETURNTRANSFER, true);
$answer = curl_exec($call);
echo $answer === false ? curl_error($call) : $answer;
exit($answer === false ? 1 : 0);""",
    "streams": """
$context = stream_context_create(['http' => ['ignore_errors' => true]]);
$answer = file_get_contents($argv[1], false, $context);
echo $answer;
exit($answer === false ? 1 : 0);""",
}
JAVA = """
import java.net.URI;
import java.net.http.*;
class Fetch {
    public static void main(String[] words) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(words[0])).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.body());
    }
}
"""
RUBY = "require 'net/http'; puts Net::HTTP.get(URI(ARGV[0]))"
GO = """
package main
import ("fmt"; "io"; "net/http"; "os")
func main() {
    answer, err := http.Get(os.Args[1])
    if err != nil { fmt.Println(err); os.Exit(1) }
    body, _ := io.ReadAll(answer.Body)
    fmt.Println(string(body))
}
"""


def _keystore(files: Path) -> None:
    """Makes a keystore of Java as the document prints it."""
    (command,) = re.findall(r"^```sh\n(home=[^`]*)```$", DOCUMENT.read_text(), re.MULTILINE)
    store = files / "cacerts"
    store.unlink(missing_ok=True)
    command = command.replace("/etc/phonegate/stand-in", str(files))
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)


FILES = "/etc/phonegate/stand-in"
BUNDLE = f"{FILES}/bundle.crt"
RUNTIMES = (
    Runtime(
        name="Python with requests",
        setting=f"REQUESTS_CA_BUNDLE={BUNDLE}",
        words=(sys.executable, "-c", PYTHON["requests"]),
    ),
    Runtime(
        name="Python with httpx",
        setting=f"SSL_CERT_FILE={BUNDLE}",
        words=(sys.executable, "-c", PYTHON["httpx"]),
    ),
    Runtime(
        name="Python with aiohttp",
        setting=f"SSL_CERT_FILE={BUNDLE}",
        words=(sys.executable, "-c", PYTHON["aiohttp"]),
    ),
    Runtime(
        name="Node.js with fetch",
        setting=f"NODE_EXTRA_CA_CERTS={FILES}/ca.crt",
        words=("node", "-e", NODE["fetch"]),
    ),
    Runtime(
        name="Node.js with https, axios",
        setting=f"NODE_EXTRA_CA_CERTS={FILES}/ca.crt",
        words=("node", "-e", NODE["https"]),
    ),
    Runtime(
        name="PHP with curl, Guzzle",
        setting=f"curl.cainfo = {BUNDLE}",
        words=("php", "-r", PHP["curl"], "--"),
    ),
    Runtime(
        name="PHP with streams",
        setting=f"openssl.cafile = {BUNDLE}",
        words=("php", "-r", PHP["streams"], "--"),
    ),
    Runtime(
        name="curl", setting=f"CURL_CA_BUNDLE={BUNDLE}", words=("curl", "-sS", "--max-time", "60")
    ),
    Runtime(name="Go", setting=f"SSL_CERT_FILE={BUNDLE}", words=("go", "run", "fetch.go")),
    Runtime(name="Ruby", setting=f"SSL_CERT_FILE={BUNDLE}", words=("ruby", "-e", RUBY)),
    Runtime(
        name="Java",
        setting=f"JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore={FILES}/cacerts "
        "-Djavax.net.ssl.trustStorePassword=changeit",
        words=("java", "Fetch.java"),
        prepare=_keystore,
    ),
)


SOURCES = {"fetch.go": GO, "Fetch.java": JAVA}


def there(runtime: Runtime, folder: Path) -> Runtime:
    """Skips the test where a runtime is not. Writes down its program where it takes a file only."""
    if shutil.which(runtime.words[0]) is None:
        pytest.skip(f"{runtime.words[0]} is not installed")
    words = list(runtime.words)
    for at, word in enumerate(words):
        if word in SOURCES:
            (folder / word).write_text(SOURCES[word])
            words[at] = str(folder / word)
    return attrs.evolve(runtime, words=tuple(words))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=[one.name for one in RUNTIMES])
def test_a_program_takes_the_gateway_for_the_host_once_it_trusts_it(
    world: World, runtime: Runtime, tmp_path: Path
) -> None:
    runtime = there(runtime, tmp_path)
    programs = world.redirected()
    url = f"https://{HOST}/nothing"
    refused = programs.run(*runtime.command(url, None))
    assert REACHED not in refused.stdout + refused.stderr
    assert refused.returncode != 0
    reached = programs.run(*runtime.command(url, world.files))
    assert REACHED in reached.stdout, reached.stderr


@pytest.mark.parametrize("runtime", RUNTIMES, ids=[one.name for one in RUNTIMES])
def test_it_trusts_no_certificate_of_that_authority_for_another_name(
    world: World, runtime: Runtime, tmp_path: Path
) -> None:
    runtime = there(runtime, tmp_path)
    # As by a thief of the key.
    forged = find_signer().sign(
        parse([OTHER, "127.0.0.1"]),
        authority=world.files / "ca.crt",
        authority_key=world.files / "ca.key",
        key=None,
        begins=datetime.now(UTC) - timedelta(hours=1),
        days=10,
    )
    certificate, key = tmp_path / "forged.crt", tmp_path / "forged.key"
    certificate.write_bytes(forged.certificate)
    key.write_bytes(forged.key)
    with served(certificate, key) as port:
        for name in (OTHER, "127.0.0.1"):
            url = f"https://{name}:{port}/"
            done = world.redirected().run(*runtime.command(url, world.files))
            assert "hello" not in done.stdout
            assert done.returncode != 0
            assert re.search(r"(?i)certif|ssl|pkix|fetch failed", done.stdout + done.stderr)


@pytest.mark.skipif(not shutil.which("update-ca-certificates"), reason="there is none here")
def test_a_system_that_trusts_it_needs_no_variable(world: World, tmp_path: Path) -> None:
    (commands,) = re.findall(
        r"^```sh\n(cp [^`]*update-ca-certificates)$", DOCUMENT.read_text(), re.MULTILINE
    )
    commands = commands.replace(FILES, str(world.files))
    local, certs = "/usr/local/share/ca-certificates", "/etc/ssl/certs"
    script = f"""set -e
    cp -a {local} {tmp_path}/local && mount --bind {tmp_path}/local {local}
    cp -a {certs} {tmp_path}/certs && mount --bind {tmp_path}/certs {certs}
    {commands} --hooksdir /nonexistent >&2
    curl -sS https://{HOST}/nothing
    php -r '{PHP["curl"].replace("'", '"')}' -- https://{HOST}/nothing
    """
    done = world.redirected().run(["bash", "-c", script])
    assert done.stdout.count(REACHED) == (2 if shutil.which("php") else 1), done.stderr


def test_the_document_has_each_of_them_and_no_other() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `([^`|]+)`", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [(one.name, one.setting) for one in RUNTIMES]
