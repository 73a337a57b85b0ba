"""What a recipe is: settings as the page prints them, and the requests that are made of them."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import yaml

GATEWAY: Final = "http://sms.example.org:8080"
HOST: Final = "sms.example.org:8080"
ORG: Final = "myorg"
KEY: Final = "YOUR_API_KEY"
ACCOUNT: Final = "YOUR_ACCOUNT_SID"
HOOK: Final = "http://sms.example.org:8080/hooks/YOUR_HOOK"
SIM: Final = "+15551112222"
TO: Final = "+15553334444"
OTHER: Final = "+15553335555"
TWILIO: Final = "https://api.twilio.com"

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"

Settings = Mapping[str, str]
"""What a person enters, by the name of its field there. A file has the one name `FILE`."""

FILE: Final = ""


@attrs.frozen(kw_only=True)
class Request:
    """A request as a program makes it."""

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = None


@attrs.frozen(kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen(kw_only=True)
class Message:
    """What a program has to say."""

    to: str = TO
    text: str = "Backup of nas failed"


Build = Callable[[Settings, Message], Sequence[Request]]


def ok(answer: Answer) -> bool:
    """Tells whether the status is one of success, which is all that most programs look at."""
    return answer.ok


def begins_ok(answer: Answer) -> bool:
    """Tells whether the answer is a text that begins with OK."""
    return answer.ok and answer.body.startswith(b"OK")


def has_sid(answer: Answer) -> bool:
    """Tells whether the answer is a message of Twilio's API that has not failed."""
    return (
        answer.ok
        and answer.json["sid"].startswith("SM")
        and answer.json["status"] not in {"failed", "undelivered"}
    )


@attrs.frozen(kw_only=True)
class Way:
    """One way in which a program can send."""

    title: str = ""
    """How it is chosen there, where there are several ways."""
    dialect: str
    """The API that it speaks: a dialect's name."""
    where: str
    """Where to click, or which file."""
    settings: Settings
    language: str = ""
    """Of the file, where the settings are one."""
    build: Build
    succeeds: Callable[[Answer], bool] = ok
    text: str = Message().text
    """What is stored as the text of the SMS."""
    to: tuple[str, ...] = (TO,)
    scopes: tuple[str, ...] = ("send",)
    """Those of the API key."""
    hook: str | None = None
    """The ready-made mapping of the hook that is to be made, where it needs one."""
    stand_in: bool = False
    """Whether the program knows no host but api.twilio.com."""
    note: str = ""


@attrs.frozen(kw_only=True)
class Program:
    """A program with its ways."""

    name: str
    ways: tuple[Way, ...]
    note: str = ""

    @property
    def anchor(self) -> str:
        """The heading's anchor, as GitHub makes it."""
        return re.sub(r"[^a-z0-9 -]", "", self.name.lower()).replace(" ", "-")


# --- What many programs do -------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def get(url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Request:
    return Request(method="GET", url=f"{url}?{urlencode(query)}", headers=headers or {})


def post_form(
    url: str, form: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Request:
    body = urlencode(form, doseq=True).encode()
    return Request(url=url, headers={"Content-Type": FORM, **(headers or {})}, body=body)


def post_json(url: str, content: Any, headers: Mapping[str, str] | None = None) -> Request:
    body = json.dumps(content).encode()
    return Request(url=url, headers={"Content-Type": JSON, **(headers or {})}, body=body)


def headers_of(lines: str, between: str = ":") -> dict[str, str]:
    """Reads headers that stand one on a line."""
    pairs = (line.partition(between) for line in lines.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def filled(template: str, marks: Mapping[str, str]) -> str:
    for mark, value in marks.items():
        assert mark in template, f"{mark} is not in {template}"
        template = template.replace(mark, value)
    return template


def in_json(text: str) -> str:
    """Returns a text as it stands within quotes of JSON."""
    return json.dumps(text)[1:-1]


def of_yaml(settings: Settings) -> Any:
    return yaml.safe_load(settings[FILE])


def of_environment(settings: Settings) -> dict[str, str]:
    """Reads lines of NAME=value, as of a file for docker or a shell."""
    return dict(line.split("=", 1) for line in settings[FILE].splitlines() if "=" in line)


def twilio_create(account: str, token: str, **fields: str) -> Request:
    """Creates a message as Twilio's libraries do, whose host no setting changes."""
    return post_form(
        f"{TWILIO}/2010-04-01/Accounts/{account}/Messages.json",
        fields,
        {"Authorization": basic(account, token), "Accept": JSON},
    )


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
