"""The /etc/phonegate/gateway.toml that the package brings: few settings, with their help. Pure."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from phonegate.config.setting_texts import SectionText, SettingText, toml

HEAD: Final = """\
The configuration of the phonegate service. After a change:
sudo phonegate check && sudo systemctl restart phonegate
Every setting: man gateway.toml, or /usr/share/doc/phonegate/examples/gateway.toml.
Only root and the group phonegate can read this file, since it may hold credentials.
"""

SHOWN: Final[Mapping[str, str]] = {
    "http.bind": "Here it is every address of this machine, so that phones of your network reach "
    "it. Until it is set up, a person who has the link of `sudo phonegate setup` can do so, and no "
    'one else can do more than look. ["127.0.0.1:8080"] is for this machine and a proxy on it '
    "alone. Do not let the Internet reach it without TLS.",
    "http.public_url": "",
    "http.trusted_proxies": "",
    "tls.certificate": "`sudo phonegate certificate` makes one for your network.",
    "tls.key": "",
    "database.path": "The package sets it.",
    "orgs.registration": "",
}
"""The settings that are shown, each with what is to be said of it on this system."""


def text(sections: Iterable[SectionText], given: Mapping[str, object]) -> str:
    """Returns the file. What is not in `given` stands there as a comment, with its default.

    Raises:
        KeyError: There is no setting of a name.
    """
    lines = [f"# {line}" for line in HEAD.splitlines()]
    names = {*SHOWN, *given}
    for section in sections:
        shown = [one for one in section.settings if f"{section.name}.{one.key}" in names]
        names -= {f"{section.name}.{one.key}" for one in shown}
        if shown:
            lines += ["", "", f"[{section.name}]"]
        for setting in shown:
            lines += ["", *_lines(setting, given)]
    if names:
        raise KeyError(*sorted(names))
    return "\n".join([*lines, ""])


def _lines(setting: SettingText, given: Mapping[str, object]) -> Iterator[str]:
    name = f"{setting.section}.{setting.key}"
    for paragraph in (setting.help, SHOWN.get(name, "")):
        yield from textwrap.wrap(paragraph, 96, initial_indent="# ", subsequent_indent="# ")
    if name in given:
        yield f"{setting.key} = {toml(given[name])}"
    else:
        yield f"#{setting.key} = {setting.default}"
