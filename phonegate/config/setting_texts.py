"""Settings as text: kinds, units, defaults, variables, and `gateway.toml.example`. Pure."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

import attrs

from phonegate.config.settings import ASSISTANTS, Settings

PREFIX: Final = "PHONEGATE_"
"""The beginning of all variables of the environment that are settings."""

_UNITS: Final = {"_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes"}

_LONG: Final = 10_000
"""From here on a number is written with its thousands apart."""


@attrs.frozen(kw_only=True)
class SettingText:
    """A setting as an operator reads of it."""

    section: str
    key: str
    kind: str
    """What its value is, with its unit: `Whole number of bytes`."""
    default: str
    """As TOML."""
    variable: str
    """The variable of the environment that overrides it."""
    help: str
    """Whole sentences."""


@attrs.frozen(kw_only=True)
class SectionText:
    """A section of the file as an operator reads of it."""

    name: str
    about: str
    """One sentence or two."""
    settings: tuple[SettingText, ...]


def section_texts() -> Iterator[SectionText]:
    """Yields every section with its settings, in the order of the file."""
    for section, kind in section_classes().items():
        defaults = kind()
        settings = tuple(
            SettingText(
                section=section,
                key=field.name,
                kind=_kind(field.name, field.type),
                default=toml(getattr(defaults, field.name)),
                variable=variable_of(section, field.name),
                help=field.metadata["help"],
            )
            for field in attrs.fields(kind)
        )
        about = (kind.__doc__ or "").strip().splitlines()[0]
        yield SectionText(name=section, about=about, settings=settings)


def example() -> str:
    """Returns the text of `gateway.toml.example`: each key with its meaning, unit and default."""
    # Most who read settings need no example.
    from phonegate.config import declared_assistants  # noqa: PLC0415

    lines = [
        "# The configuration of phonegate. Save it as gateway.toml and change what you need:",
        "# every line that begins with #key shows the default.",
        "# An environment variable PHONEGATE_<SECTION>_<KEY> wins over this file (lists: commas",
        "# between the items), an option of the command line wins over both.",
    ]
    for section in section_texts():
        lines += ["", "", f"# {section.about}", f"[{section.name}]"]
        for setting in section.settings:
            lines += [
                "",
                *_wrapped(setting.help),
                f"# {setting.kind}; {setting.variable}",
                f"#{setting.key} = {setting.default}",
            ]
    return "\n".join([*lines, "", "", declared_assistants.EXAMPLE])


def section_classes() -> dict[str, Any]:
    """Returns the class of every section, by the section's name."""
    return {
        section.name: section.type
        for section in attrs.fields(Settings)
        if section.name not in (ASSISTANTS, "sources")
    }


def setting_types() -> dict[str, dict[str, Any]]:
    """Returns the type of every key, by section."""
    return {
        section: {field.name: field.type for field in attrs.fields(kind)}
        for section, kind in section_classes().items()
    }


def variable_of(section: str, key: str) -> str:
    """Returns the variable of the environment for a setting."""
    return f"{PREFIX}{section}_{key}".upper()


def choices(kind: Any) -> str:
    """Returns the values of a `Literal` as TOML, with commas between them."""
    return ", ".join(toml(one) for one in get_args(kind))


def toml(value: Any) -> str:
    """Returns a default as TOML. It knows only the types that settings have."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= _LONG else str(value)
    if isinstance(value, float):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return f"[{', '.join(toml(item) for item in value)}]"


def _kind(name: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"One of {choices(kind)}"
    words = {bool: "true or false", int: "Whole number", float: "Number", str: "Text"}
    word = words.get(kind, "List of texts")
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), None)
    if name.endswith("_per_s"):
        return f"{word} per second"
    return f"{word} of {unit}" if unit else word


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
