"""The same four programs in several languages: send, read, follow, and check a webhook.

They stand here once, for the page `/reference` and for docs/samples.md. BASE stands for the
gateway's address. Each works as printed, with an API key in PHONEGATE_KEY.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from phonegate.pages.samples import go, javascript, php, python, shell


@attrs.frozen(kw_only=True)
class Task:
    """What a sample does."""

    name: str
    title: str
    about: str


TASKS: Final = (
    Task(
        name="send",
        title="Send, and never twice",
        about="The `Idempotency-Key` names what is sent, so each message has another one. Where an "
        "answer is lost, repeat the request with the same key: it is sent once, and answered as "
        "before.",
    ),
    Task(
        name="read",
        title="Read what came in",
        about="Remember the last id that you have read, and ask for what came after it. An answer "
        "has up to 100 messages: go on until one has none. The client for Python does so itself.",
    ),
    Task(
        name="follow",
        title="Follow what comes in",
        about="What comes is shown at once. Each answer or event says by an id how far you are, "
        "and the next request goes on from there, so that nothing is left out over lost "
        "connections and restarts.",
    ),
    Task(
        name="verify",
        title="Receive a webhook",
        about="`phonegate webhook add` shows the secret. The signature proves that the gateway "
        "called, and the time that the call is not an old one. An event may come twice, with the "
        "same `webhook-id`.",
    ),
)


@attrs.frozen(kw_only=True)
class Language:
    """A language that samples are in."""

    name: str
    title: str
    fence: str
    """What Markdown calls it."""
    suffix: str
    """How the name of its files ends."""
    note: str
    samples: Mapping[str, str]
    """By the name of their task."""


LANGUAGES: Final = (
    Language(
        name="python",
        title="Python",
        fence="python",
        suffix=".py",
        note="Python 3.11 or newer, with the package phonegate, which brings the client.",
        samples=python.SAMPLES,
    ),
    Language(
        name="javascript",
        title="JavaScript",
        fence="js",
        suffix=".mjs",
        note="Node 20 or newer, without a package, in files named `.mjs`. In a browser, "
        "EventSource follows a stream of events and connects again by itself. It can send no "
        "headers, so the key stands in the path: `/events/myorg/pgk_…`; use one whose only scope "
        "is read.",
        samples=javascript.SAMPLES,
    ),
    Language(
        name="php",
        title="PHP",
        fence="php",
        suffix=".php",
        note="PHP 8 with its extension curl. `php -S 0.0.0.0:8000 receive.php` tries the last one.",
        samples=php.SAMPLES,
    ),
    Language(
        name="go",
        title="Go",
        fence="go",
        suffix=".go",
        note="Go 1.19 or newer, with its standard library alone.",
        samples=go.SAMPLES,
    ),
    Language(
        name="shell",
        title="curl",
        fence="sh",
        suffix=".sh",
        note="curl, and openssl to check signatures, in a POSIX shell.",
        samples=shell.SAMPLES,
    ),
)


def sample(language: Language, task: Task, base: str) -> str:
    """Returns a sample for a gateway whose address is `base`."""
    return language.samples[task.name].strip().replace("BASE", base) + "\n"
