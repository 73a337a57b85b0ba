"""Reads `gateway.toml`, the environment and the command line into one `Settings`.

Later ones win: built-in defaults, the file, `PHONEGATE_<SECTION>_<KEY>` variables, options.
All faults are found before any is reported, so that an operator has to correct the file only once.
"""

import codecs
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin

import attrs

from phonegate.config.client_environment import client_variables, is_client_variable
from phonegate.config.faults import (
    ConfigError,
    Fault,
    printable_line,
    shown_value,
    unknown,
)
from phonegate.config.rules import RULES
from phonegate.config.setting_texts import (
    PREFIX,
    choices,
    section_classes,
    setting_types,
    toml,
    variable_of,
)
from phonegate.config.settings import ASSISTANTS, AssistantSettings, Settings
from phonegate.model.dialects import TWILIO

__all__ = ["DEFAULT_FILE", "ConfigError", "Fault", "load"]

DEFAULT_FILE = Path("gateway.toml")
"""Read when no file is named and it exists in the working directory."""

_SERVICE_LINKS = ("PHONEGATE_SERVICE_", "PHONEGATE_PORT")
"""Variables that Kubernetes and old Docker links set for a service called phonegate."""

_OPTIONS = {"http.bind": "--bind", "database.path": "--database"}


@attrs.frozen(kw_only=True)
class _Given:
    """A value as it was given, before it is checked."""

    value: Any
    source: str


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    warn: Callable[[Fault], None] = lambda _: None,
) -> Settings:
    """Returns the settings of one run.

    Args:
        path: The configuration file. With None it is `gateway.toml` if that exists, else no file.
        environ: The environment, such as `os.environ`. A variable that is set and empty counts
            as unset, as compose files leave those whose value is optional.
        overrides: Values of command-line options by dotted key, such as `"http.bind"`.
        warn: Takes what looks wrong without being a fault: a variable that may be another
            program's.

    Raises:
        ConfigError: There are faults. The error has all those of the three.
    """
    faults: list[Fault] = []
    given: dict[str, _Given] = {}
    environ = {name: value for name, value in (environ or {}).items() if value}
    document, source = _document(path, faults)
    tables = document.pop(ASSISTANTS, [])
    given.update(_from_file(document, source, faults))
    given.update(_from_environment(environ, _referred(tables), warn))
    for key, value in (overrides or {}).items():
        given[key] = _Given(value=value, source=f"option {_OPTIONS.get(key, key)}")
    settings = _build(given, faults)
    faults += _across(settings, given)
    assistants = _assistants(tables, source, environ, faults)
    if faults:
        raise ConfigError(tuple(faults))
    sources = {key: entry.source for key, entry in given.items()}
    return attrs.evolve(settings, assistants=assistants, sources=sources)


# Where values come from


def _document(path: Path | None, faults: list[Fault]) -> tuple[dict[str, Any], str]:
    """Returns the content of the file, and its name for faults. Both are empty without a file."""
    if path is None:
        if not DEFAULT_FILE.exists():
            return {}, ""
        path = DEFAULT_FILE
    source = f"file {path}"
    return _parse(path, source, faults), source


def _from_file(
    document: Mapping[str, Any], source: str, faults: list[Fault]
) -> Iterator[tuple[str, _Given]]:
    """Yields every key of the sections with its value. An unknown key is a fault."""
    sections = setting_types()
    for section, keys in document.items():
        if section not in sections:
            known = sorted([*sections, ASSISTANTS])
            faults.append(unknown(section, source, "section", known))
        elif not isinstance(keys, dict):
            problem = f"a section is needed: a line [{section}] with its keys below"
            faults.append(Fault(key=section, source=source, problem=problem))
        else:
            for key, value in keys.items():
                if key in sections[section]:
                    yield f"{section}.{key}", _Given(value=value, source=source)
                else:
                    known = sorted(sections[section])
                    faults.append(unknown(f"{section}.{key}", source, "key", known))


def _referred(tables: Any) -> Collection[str]:
    """Returns the variables that declared assistants name, whose part is loaded for them alone."""
    if tables == []:
        return ()
    from phonegate.config import declared_assistants  # noqa: PLC0415 - it loads every carrier

    return declared_assistants.referred(tables)


def _assistants(
    tables: Any, source: str, environ: Mapping[str, str], faults: list[Fault]
) -> tuple[AssistantSettings, ...]:
    if tables == []:
        return ()
    from phonegate.config import declared_assistants  # noqa: PLC0415 - as above

    return declared_assistants.read(tables, source, environ, faults)


def _parse(path: Path, source: str, faults: list[Fault]) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - a gateway in a container often has no file

    try:
        data = path.read_bytes()
        # Editors on Windows begin a file with a byte order mark.
        return tomllib.loads(data.removeprefix(codecs.BOM_UTF8).decode())
    except OSError as error:
        problem = f"can't be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML: {printable_line(str(error))}; text needs quotes around it"
    faults.append(Fault(key="the whole file", source=source, problem=problem))
    return {}


def _from_environment(
    environ: Mapping[str, str], others: Collection[str], warn: Callable[[Fault], None]
) -> Iterator[tuple[str, _Given]]:
    """Yields every `PHONEGATE_…` variable that is a setting, converted to the setting's type.

    `others` are variables that the file refers to. Any further one is named in a warning and
    ignored, since another program in this environment may use it.
    """
    sections = setting_types()
    by_variable = {
        variable_of(section, key): (section, key, kind)
        for section, keys in sections.items()
        for key, kind in keys.items()
    }
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        if variable in by_variable:
            section, key, kind = by_variable[variable]
            source = f"environment variable {variable}"
            value = _from_text(environ[variable], kind)
            yield f"{section}.{key}", _Given(value=value, source=source)
        elif not (
            is_client_variable(variable)
            or variable in others
            or variable.startswith(_SERVICE_LINKS)
        ):
            known = sorted({*by_variable, *client_variables()})
            warn(unknown(variable, "environment", "setting", known))


def _from_text(text: str, kind: Any) -> Any:
    """Converts a variable's text to the type of its setting. Text that doesn't fit stays text."""
    if get_origin(kind) is tuple:
        return [item.strip() for item in text.split(",") if item.strip()]
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    try:
        if kind is int:
            return int(text)
        if kind is float:
            return float(text)
    except ValueError:
        return text
    return text


# What values must be


def _typed(value: Any, kind: Any) -> Any:
    """Returns a value of a setting's type. Nothing is converted, except an int to a float.

    Raises:
        TypeError: It has another type.
    """
    if get_origin(kind) is tuple:
        return _texts(value)
    if get_origin(kind) is Literal:
        return _choice(value, kind)
    return _PLAIN[kind](value)


# Types are compared exactly: isinstance(True, int) holds, and True == 1.


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError("true or false is needed")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a whole number is needed")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError("a number is needed")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("text in quotes is needed")
    if not value.isprintable():
        raise TypeError("text without control characters is needed")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) not in (list, tuple):
        raise TypeError('a list of texts is needed, such as ["one", "two"]')
    return tuple(map(_text, value))


def _choice(value: Any, kind: Any) -> Any:
    if not any(type(value) is type(one) and value == one for one in get_args(kind)):
        raise TypeError(f"one of {choices(kind)} is needed")
    return value


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType(
    {bool: _boolean, int: _whole, float: _number, str: _text}
)


def _build(given: Mapping[str, _Given], faults: list[Fault]) -> Settings:
    """Builds the settings. A value with a fault is reported and stays at its default."""
    sections = {}
    for section, kind in section_classes().items():
        values = {}
        for field in attrs.fields(kind):
            key = f"{section}.{field.name}"
            if key not in given:
                continue
            try:
                value = _typed(given[key].value, field.type)
                problem = RULES[key](value) if key in RULES else None
            except TypeError as error:
                # A field that is kept out of every `repr` is a secret.
                shown = f", not {shown_value(given[key].value)}" if field.repr else ""
                problem = f"{error}{shown}"
            if problem is None:
                values[field.name] = value
            else:
                default = toml(getattr(kind(), field.name))
                problem = f"{problem} (default: {default})"
                faults.append(Fault(key=key, source=given[key].source, problem=problem))
        sections[section] = kind(**values)
    known = {f"{section}.{key}" for section, keys in setting_types().items() for key in keys}
    faults += [
        unknown(key, entry.source, "key", sorted(known))
        for key, entry in given.items()
        if key not in known
    ]
    return Settings(**sections)


def _across(settings: Settings, given: Mapping[str, _Given]) -> Iterator[Fault]:
    """Yields the faults that only two settings together can have."""
    pair = {key: key in given and given[key].value != "" for key in ("tls.certificate", "tls.key")}
    if len(set(pair.values())) > 1:
        missing = next(key for key, there in pair.items() if not there)
        present = next(key for key, there in pair.items() if there)
        source = given[present].source
        problem = f"is needed as well, because {present} is set (or leave out both)"
        yield Fault(key=missing, source=source, problem=problem)
    if settings.modem.enabled and not settings.modem.org:
        problem = "is needed as well, because modem.enabled is true"
        yield Fault(key="modem.org", source=given["modem.enabled"].source, problem=problem)
    http = settings.http
    if http.public_url and not http.public_url.rstrip("/").endswith(http.prefix):
        problem = f"must end with {http.prefix}, which is [http] prefix"
        yield Fault(key="http.public_url", source=given["http.public_url"].source, problem=problem)
    yield from _binds(settings, given)


def _binds(settings: Settings, given: Mapping[str, _Given]) -> Iterator[Fault]:
    """Yields the faults of addresses to listen on, and of what a stand-in needs besides."""
    stand_in = settings.stand_in
    if stand_in.enabled and not stand_in.bind and not settings.tls.certificate:
        problem = "is needed as well, because stand_in.enabled is true and [tls] is empty"
        source = given["stand_in.enabled"].source
        yield Fault(key="stand_in.bind", source=source, problem=problem)
    if stand_in.enabled and TWILIO not in settings.dialects.enabled:
        problem = f"must have {TWILIO}, which is what stand_in.enabled serves"
        source = given["dialects.enabled"].source
        yield Fault(key="dialects.enabled", source=source, problem=problem)
    http = settings.http
    for key, binds, others in (
        ("http.bind", http.bind, ()),
        ("http.plain_bind", http.plain_bind, http.bind),
        ("stand_in.bind", stand_in.bind, http.bind if stand_in.enabled else ()),
    ):
        ports = [bind for bind in binds if not bind.endswith(":0")]
        for bind in sorted({bind for bind in ports if ports.count(bind) > 1}):
            problem = f"{bind} stands there twice"
            yield Fault(key=key, source=given[key].source, problem=problem)
        for bind in sorted(set(ports).intersection(others)):
            problem = f"{bind} stands in http.bind too, and one of them can have it"
            yield Fault(key=key, source=given[key].source, problem=problem)
