"""Reads the `[[assistants]]` of `gateway.toml`. The text of a fault never holds a credential."""

import re
from collections.abc import Iterator, Mapping
from textwrap import indent
from typing import Any, Final

from phonegate.carriers.registry import CARRIERS, check_credentials
from phonegate.config.faults import Fault, shown_value, unknown
from phonegate.config.settings import ASSISTANTS, AssistantSettings
from phonegate.domain.assistant_form import form_problems
from phonegate.domain.credentials import org_problem
from phonegate.model.assistants import PHONE
from phonegate.model.refusals import BadInput

REFERENCE: Final = "env:"
"""Begins a credential that is the name of an environment variable: "env:TWILIO_TOKEN"."""

_EXAMPLE_HEAD: Final = """\
# Assistants: sender numbers of an org for POST /sms/send. One table for each; those that are
# declared here can't be changed over the API, and end when they are taken out. A credential
# "env:NAME" is read from the environment variable NAME.
"""

_EXAMPLE_PHONE: Final = """\
#
# The SIM of a phone of yours; any SIM that a phone has reported can send without this, too.
# [[assistants]]
# org = "myorg"
# name = "shop"
# provider = "phone"
# phone_numbers = ["+15551110004"]
"""

EXAMPLE: Final = "".join(
    [
        _EXAMPLE_HEAD,
        *(f"#\n{indent(carrier.example, '# ')}" for carrier in CARRIERS.values()),
        _EXAMPLE_PHONE,
    ]
)
"""The end of `gateway.toml.example`."""

_COMMON: Final = ("org", "name", "provider", "phone_numbers")
_PROVIDERS: Final = (PHONE, *CARRIERS)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def referred(tables: object) -> set[str]:
    """Names the environment variables that hold credentials, which are no settings."""
    entries = tables if isinstance(tables, list) else []
    return {
        value.removeprefix(REFERENCE)
        for entry in entries
        if isinstance(entry, dict)
        for key, value in entry.items()
        if key not in _COMMON and isinstance(value, str) and value.startswith(REFERENCE)
    }


def read(
    tables: object, source: str, environ: Mapping[str, str], faults: list[Fault]
) -> tuple[AssistantSettings, ...]:
    """Reads the assistants of a file.

    Args:
        tables: What the file has under `assistants`.
        source: Names the file in faults.
        environ: The environment.
        faults: Gets everything that is wrong.

    Returns:
        The assistants that nothing is wrong with.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem = (
            f"each is needed as a table of its own: a line [[{ASSISTANTS}]] with its keys below"
        )
        faults.append(Fault(key=ASSISTANTS, source=source, problem=problem))
        return ()
    assistants = []
    for index, table in enumerate(tables):
        label = f"{ASSISTANTS}[{index}]"
        found = list(_faults(table, label, source, environ))
        faults += found
        if not found:
            assistants.append(_assistant(table, environ))
    faults += _duplicates(assistants, source)
    return tuple(assistants)


def _assistant(table: Mapping[str, Any], environ: Mapping[str, str]) -> AssistantSettings:
    provider = table["provider"]
    given = _resolved(table, environ)
    return AssistantSettings(
        org=table["org"],
        name=table["name"],
        provider=provider,
        phone_numbers=tuple(table["phone_numbers"]),
        credentials={} if provider == PHONE else check_credentials(provider, given),
    )


def _faults(
    table: Mapping[str, Any], label: str, source: str, environ: Mapping[str, str]
) -> Iterator[Fault]:
    """Finds everything that is wrong with one table."""
    carrier = _carrier(table)
    carriers = [CARRIERS[carrier]] if carrier else []
    if table.get("provider") not in _PROVIDERS:
        carriers = [*CARRIERS.values()]
    fields = [field for one in carriers for field in one.fields]
    known = [*_COMMON, *(field.name for field in fields)]
    for key in table:
        if key not in known:
            yield unknown(f"{label}.{key}", source, "key", known)
    given = {key: value for key, value in _resolved(table, environ).items() if key in known}
    problems = [(key, "is needed") for key in _COMMON if key not in table]
    problems += [*_form(table), *_unset(table, given)]
    if carrier is not None:
        problems += _wrong_credentials(carrier, given)
    for key, problem in problems:
        yield Fault(key=f"{label}.{key}", source=source, problem=problem)


def _unset(table: Mapping[str, Any], given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Finds the credentials whose environment variables are not set."""
    for key, value in given.items():
        if value is None and isinstance(table[key], str):
            name = table[key].removeprefix(REFERENCE)
            shown = f"variable {name}" if _NAME.fullmatch(name) else "variable that it names"
            yield key, f"the environment {shown} is not set"


def _wrong_credentials(carrier: str, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Finds what is wrong with credentials, other than that their variables are not set."""
    try:
        check_credentials(carrier, given)
    except BadInput as error:
        for problem in error.problems:
            name = problem.field.removeprefix("credentials.")
            if name not in given or given[name] is not None:
                yield name, problem.problem


def _carrier(table: Mapping[str, Any]) -> str | None:
    provider = table.get("provider")
    return provider if isinstance(provider, str) and provider in CARRIERS else None


def _form(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Finds what is wrong with the keys that every provider has."""
    org = table.get("org", "org")
    if not isinstance(org, str):
        yield "org", f"text in quotes is needed, not {shown_value(org)}"
    elif problem := org_problem(org):
        yield "org", f"{problem}, not {shown_value(org)}"
    if "provider" in table and table["provider"] not in _PROVIDERS:
        choices = ", ".join(f'"{one}"' for one in _PROVIDERS)
        yield "provider", f"one of {choices} is needed, not {shown_value(table['provider'])}"
    name, numbers = table.get("name", "name"), table.get("phone_numbers", ["+15550000000"])
    if not isinstance(name, str):
        yield "name", f"text in quotes is needed, not {shown_value(name)}"
        name = "name"
    if not isinstance(numbers, list) or not all(isinstance(one, str) for one in numbers):
        yield "phone_numbers", 'a list of texts is needed, such as ["+15551110001"]'
        numbers = ["+15550000000"]
    for wrong in form_problems(name, numbers):
        yield wrong.field, wrong.problem


def _resolved(table: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, object]:
    """Gives the credentials of a table, with None for those whose variables are not set."""
    return {
        key: environ.get(value.removeprefix(REFERENCE)) or None
        if isinstance(value, str) and value.startswith(REFERENCE)
        else value
        for key, value in table.items()
        if key not in _COMMON
    }


def _duplicates(assistants: list[AssistantSettings], source: str) -> Iterator[Fault]:
    """Finds names and numbers that two assistants of one org share."""
    names: set[tuple[str, str]] = set()
    numbers: set[tuple[str, str]] = set()
    for one in assistants:
        if (one.org, one.name) in names:
            problem = f"{one.org} has two assistants that are named {shown_value(one.name)}"
            yield Fault(key=ASSISTANTS, source=source, problem=problem)
        names.add((one.org, one.name))
        for number in one.phone_numbers:
            if (one.org, number) in numbers:
                problem = f"{number} belongs to two assistants of {one.org}"
                yield Fault(key=ASSISTANTS, source=source, problem=problem)
            numbers.add((one.org, number))
