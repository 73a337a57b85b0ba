"""Text as the language of man pages has it (man(7), groff_char(7)). Pure."""

import re

_CODE = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Returns text that stands as it is: a hyphen can be copied, and a point begins no request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + text if text.startswith(".") else text


def bold(text: str) -> str:
    """Returns it as what is typed."""
    return f"\\fB{escaped(text)}\\fR"


def running(text: str) -> str:
    """Returns a paragraph, in which names between backticks are what is typed."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(bold(one) if at % 2 else escaped(one) for at, one in enumerate(parts))


def header(name: str, section: int, day: str, source: str, manual: str) -> str:
    """Returns the first line of a page."""
    return f'.TH {escaped(name.upper())} {section} "{day}" "{escaped(source)}" "{manual}"'


def entry(term: str, *paragraphs: str) -> list[str]:
    """Returns a term with what it means. All of it is escaped already."""
    first, *others = paragraphs or ("",)
    lines = [".TP", term, first]
    for one in others:
        lines += [".IP", one]
    return [line for line in lines if line]
