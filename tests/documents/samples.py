"""docs/samples.md: the samples of `phonegate/pages/samples/`, for those who read documents."""

from collections.abc import Iterator
from typing import Final

from phonegate.pages.samples import LANGUAGES, TASKS, sample

BASE: Final = "http://127.0.0.1:8080"

_BEGINNING: Final = """\
# Samples

Four small programs in each language: they send, read, follow what comes in, and receive a webhook.
Each works as printed. `PHONEGATE_KEY` is an API key with the scopes `send` and `read`
(`phonegate key add myorg samples --scope send --scope read`), `myorg` stands for your OrgId,
and `WEBHOOK_SECRET` is what `phonegate webhook add` has shown. A receiver on the gateway's own
machine is called where [`[webhooks] allow`](operations.md#where-webhooks-may-go) names it.

The same stand on each gateway's own page, `/reference`, with its address filled in. [The client for
Python](client.md) does more than is shown here; [sending](sending.md), [receiving](receiving.md)
and [events](events.md) explain what is behind them.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_BEGINNING, *_languages()])


def _languages() -> Iterator[str]:
    for language in LANGUAGES:
        yield f"## {language.title}\n\n{language.note}\n"
        for task in TASKS:
            text = sample(language, task, BASE)
            yield f"### {task.title} ({language.title})\n\n{task.about}\n"
            yield f"```{language.fence}\n{text}```\n"
