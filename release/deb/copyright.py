"""The machine-readable copyright file, from the metadata and licence files of the packages.

Its form is https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/.
"""

import re
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

PLACE: Final = "usr/lib/phonegate"

COMMON: Final = {"Apache-2.0": "Apache-2.0", "MPL-2.0": "MPL-2.0"}
"""Licences whose text Debian has once for all, in /usr/share/common-licenses."""

NAMED_OTHERWISE: Final = {
    "MIT": "Expat",
    "The MIT License (MIT)": "Expat",
    "MIT License": "Expat",
    "Apache 2.0": "Apache-2.0",
}
"""What packages call a licence, and its name in Debian."""

CLASSIFIED: Final = {
    "MIT License": "Expat",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
}
"""Names for packages that say it only by a classifier. BSD: those here have three clauses."""

MODULES: Final = {
    "attrs": ("attr", "attrs"),
    "cattrs": ("cattr", "cattrs"),
    "phonenumberslite": ("phonenumbers",),
    "typing_extensions": ("typing_extensions.py",),
}
"""The folders of packages that are not called as their module is."""

WITHIN: Final = (
    (
        "flask_swagger_ui/dist/*",
        "2017 SmartBear Software",
        "Apache-2.0",
    ),
    (
        "werkzeug/debug/shared/*.png",
        "Mark James <mjames@gmail.com>",
        "CC-BY-2.5",
    ),
)
"""What is of others within a package."""

_HOLDER = re.compile(
    r"^\W*copyright\b[\s:]*(?:\(c\)|©)?[\s:]*(?P<rest>.*\b\d{4}\b.*|contributors to .*)$",
    re.IGNORECASE,
)
"""A line of a licence that names who holds the rights, and not one that speaks of copyright."""

_APACHE = "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"


def text(site: Path, licence: str) -> str:
    """Returns the file.

    Args:
        site: The folder of the packages, phonegate among them.
        licence: The licence of phonegate.

    Raises:
        ValueError: A package names no licence, or a folder belongs to no package.
    """
    stanzas = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: phonegate\n"
        "Comment:\n"
        " The packages beside phonegate in /usr/lib/phonegate are as their authors\n"
        " published them, without native modules.\n",
        _stanza("*", _holders([licence], "phonegate"), "Expat", licence),
    ]
    common: set[str] = set()
    seen = {"phonegate"}
    for info in sorted(site.glob("*.dist-info")):
        name = info.name.partition("-")[0]
        seen.add(info.name)
        if name == "phonegate":
            continue
        modules = MODULES.get(name, (name,))
        seen.update(modules)
        files = [info.name, *modules]
        texts = _licence_texts(info)
        kind = _kind(info)
        common.update(one for one in COMMON if one in kind)
        paths = "\n ".join(_pattern(site, one) for one in files)
        stanzas.append(_stanza(paths, _holders(texts, _author(info)), kind, "\n\n".join(texts)))
    unknown = {path.name for path in site.iterdir()} - seen
    if unknown:
        raise ValueError(f"of which package are these: {', '.join(sorted(unknown))}?")
    for pattern, holder, kind in WITHIN:
        stanzas.append(_stanza(f"{PLACE}/{pattern}", [holder], kind, None))
        common.update({kind} & set(COMMON))
    stanzas += [
        f"License: {name}\n On Debian systems, the text of this licence is in\n"
        f" /usr/share/common-licenses/{COMMON[name]}.\n"
        for name in sorted(common)
    ]
    stanzas.append(
        "License: CC-BY-2.5\n The text of this licence is at\n"
        " https://creativecommons.org/licenses/by/2.5/legalcode.\n"
    )
    return "\n".join(stanzas)


def metadata(info: Path) -> Message:
    """Returns the metadata of a package, from its `.dist-info`."""
    return HeaderParser().parsestr((info / "METADATA").read_text())


def _kind(info: Path) -> str:
    """Returns the name of a package's licence."""
    about = metadata(info)
    named = about["License-Expression"] or about["License"]
    if named:
        parts = re.split(r" (OR|AND) ", str(named).splitlines()[0].strip())
        return " ".join(
            one.lower() if one in {"OR", "AND"} else NAMED_OTHERWISE.get(one, one) for one in parts
        )
    for line in about.get_all("Classifier", []):
        last = line.rpartition(" :: ")[2]
        if line.startswith("License ::") and last in CLASSIFIED:
            return CLASSIFIED[last]
    raise ValueError(f"{info.name} names no licence")


def _licence_texts(info: Path) -> list[str]:
    """Returns what the package's licence files say, but for texts that Debian has."""
    found = [
        path.read_text().strip()
        for path in sorted(info.rglob("*"))
        if path.is_file() and re.match(r"(LICEN[SC]E|COPYING|NOTICE)", path.name)
    ]
    return [text for text in found if _APACHE not in text]


def _author(info: Path) -> str:
    about = metadata(info)
    for field in ("Author", "Author-email"):
        if about[field]:
            return " ".join(str(about[field]).split())
    return f"the authors of {about['Name']}"


def _holders(texts: list[str], author: str) -> list[str]:
    """Returns the holders that licence files name, or else the author of the package."""
    lines = [line for text in texts for line in text.splitlines()]
    found = [match["rest"].strip(" .,") for line in lines if (match := _HOLDER.match(line))]
    named = [one if re.search(r"[^\W\d]", one) else f"{one} {author}" for one in found]
    return list(dict.fromkeys(named)) or [author]


def _pattern(site: Path, name: str) -> str:
    return f"{PLACE}/{name}/*" if (site / name).is_dir() else f"{PLACE}/{name}"


def _stanza(files: str, holders: list[str], kind: str, whole: str | None) -> str:
    held = "\n ".join(holders)
    licence = f"{kind}\n{_indented(whole)}" if whole else kind
    return f"Files: {files}\nCopyright: {held}\nLicense: {licence}\n"


def _indented(text: str) -> str:
    """Returns a text as a field holds it: an empty line is a point."""
    lines = (" ".join(line.expandtabs().rstrip().splitlines()) for line in text.splitlines())
    return "\n".join(f" {line}" if line.strip() else " ." for line in lines)
