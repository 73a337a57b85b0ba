"""Where alarms are reported to, as `[alarms] notify` names it. Pure.

The text of a target may hold a token, so it is in no `repr`, and no problem quotes it.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

from phonegate.domain.credentials import org_problem
from phonegate.model.numbers import is_e164

MOST_TARGETS: Final = 20
"""Each has a task of its own, and a team has fewer ways to be reached."""

NEEDED: Final = (
    "a target is webhook:URL, sms:ORG:+15551112222, or a URL of Apprise such as mailto://…"
)

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(.+)", re.IGNORECASE | re.DOTALL)
_KINDS: Final = ("webhook", "sms")


@attrs.frozen(kw_only=True)
class WebhookTarget:
    """A URL that gets JSON."""

    url: str = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """What the log calls it: its kind and host, which are no secret."""
        return f"webhook {host_of(self.url)}"


@attrs.frozen(kw_only=True)
class SmsTarget:
    """A number that gets an SMS through an org's phones and carriers."""

    org: str
    number: str = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """What the log calls it, which has no numbers."""
        return f"sms through {self.org}"


@attrs.frozen(kw_only=True)
class AppriseTarget:
    """A URL that the package Apprise knows how to reach."""

    url: str = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """What the log calls it: its kind alone, since many have a token in the host's place."""
        return f"apprise {self.url.partition(':')[0].lower()}"


Target = WebhookTarget | SmsTarget | AppriseTarget


def parse_target(text: str) -> Target:
    """Reads one target.

    Raises:
        ValueError: It is none. The message says what is wrong, and does not quote it.
    """
    kind, _, rest = text.partition(":")
    if kind == "webhook":
        if problem := url_problem(rest):
            raise ValueError(f"behind webhook: {problem}")
        return WebhookTarget(url=rest)
    if kind == "sms" and not rest.startswith("//"):
        org, _, number = rest.partition(":")
        if problem := org_problem(org):
            raise ValueError(f"behind sms: an OrgId is needed ({problem})")
        if not is_e164(number):
            raise ValueError(f"behind sms:{org}: a number such as +15551112222 is needed")
        return SmsTarget(org=org, number=number)
    if _SCHEME.fullmatch(text) is None:
        raise ValueError(NEEDED)
    if kind.lower() in ("http", "https"):
        raise ValueError(f"write webhook:{kind.lower()}://… for a URL that takes JSON")
    return AppriseTarget(url=text)


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """Reads all targets.

    Raises:
        ValueError: Some are none. The message names all of them by their place in the list.
    """
    found: list[Target] = []
    problems = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(parse_target(text))
        except ValueError as error:
            problems.append(f"target {number}: {error}")
    if len(texts) > MOST_TARGETS:
        problems.append(f"there are {len(texts)} targets, and at most {MOST_TARGETS} may be")
    if len(set(texts)) < len(texts):
        problems.append("a target stands there twice")
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(found)


def names(targets: Sequence[Target]) -> list[str]:
    """Returns what the log calls each target: its name, with a number where several share it."""
    called: list[str] = []
    for target in targets:
        same = sum(target.name == other.name for other in targets[: len(called)])
        called.append(f"{target.name} #{same + 1}" if same else target.name)
    return called


def url_problem(text: str) -> str | None:
    """Returns what is wrong with a URL to call, without quoting it, or None."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or any(map(str.isspace, text)):
        return "an address such as https://example.org/alarms is needed"
    return None


def host_of(url: str) -> str:
    """Returns the host of a URL, with its port if it has one, and nothing else of it."""
    parts = urlsplit(url)
    shown = parts.hostname or ""
    shown = f"[{shown}]" if ":" in shown else shown
    return shown if parts.port is None else f"{shown}:{parts.port}"
