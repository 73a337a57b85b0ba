"""The text for a person when a command fails, for every error that is not a bug of phonegate."""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final

_MORE: Final = re.compile(r" \(([0-9]+) more in errors\.\)\Z")
"""The end of a refusal's sentence when it has more wrong fields than it names."""


class Failure(Exception):
    """A command failed. The text is for the person who typed it."""


def explain(error: BaseException) -> str | None:
    """Returns the text for a person, or None for an error that only a programmer can read."""
    known = (*_loaded(), Failure, OSError, UnicodeError)
    causes = list(_causes(error))
    if not all(isinstance(cause, known) for cause in causes):
        return None
    return "\n".join(_sentence(cause) for cause in causes)


def refusal(detail: str, problems: Sequence[tuple[str, str]]) -> str:
    """Returns the text of a gateway's refusal, which names each wrong field and problem once."""
    more = _MORE.search(detail)
    if more is not None:
        detail = detail[: more.start()]
    others = [(field, problem) for field, problem in problems if not _said(field, problem, detail)]
    lines = [detail, *(f"  {field}: {problem}" for field, problem in others)]
    if more is not None and (unnamed := int(more[1]) - len(others)) > 0:
        lines.append(f"  and {unnamed} more")
    return "\n".join(lines)


def _said(field: str, problem: str, detail: str) -> bool:
    """Tells whether a sentence already names a problem, in words or in its list (`: a, b`)."""
    listed = problem.partition(": ")[2]
    return f"{field} {problem}" in detail or bool(
        listed and f": {listed}" in detail and "[" not in field
    )


def reader_left(error: BaseException) -> bool:
    """Tells whether the reader of the output has left (`phonegate messages | head`)."""
    return all(isinstance(cause, BrokenPipeError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields the errors themselves, without the groups that nurseries wrap them in."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    else:
        yield error


def _loaded() -> tuple[type[BaseException], ...]:
    """Returns phonegate's error classes, of the modules that this run has loaded."""
    names = {
        "phonegate.config.reader": "ConfigError",
        "phonegate.operations.control_client": "ControlError",
        "phonegate.model.refusals": "Refused",
        "phonegate.server.errors": "ServerError",
        "phonegate.phone.errors": "PhoneError",
        "phonegate.model.storage_errors": "StoreError",
        "phonegate.trust": "UnusableAuthority",
        "phonegate.local_ca.errors": "LocalCaError",
    }
    found = ((sys.modules.get(module), name) for module, name in names.items())
    classes = (getattr(module, name, None) for module, name in found if module is not None)
    return tuple(one for one in classes if one is not None)


def _sentence(error: BaseException) -> str:
    faults = getattr(error, "faults", None)
    if faults is not None:
        many = f"the configuration has {len(faults)} faults" if len(faults) > 1 else "configuration"
        return f"{many}:\n" + "\n".join(f"  {fault}" for fault in faults)
    # The error's text quotes what could not be read or written, maybe a message or a secret.
    if isinstance(error, UnicodeEncodeError) and not error.encoding.lower().startswith("utf"):
        return f"The character set {error.encoding} can't show some of the text. Use UTF-8."
    if isinstance(error, UnicodeError):
        return "Some of the input is not UTF-8 text."
    if isinstance(error, OSError) and error.strerror:
        prefix = f"{error.filename}: " if error.filename else ""
        return f"{prefix}{error.strerror}"
    problems = getattr(error, "problems", ())
    return refusal(str(error), [(one.field, one.problem) for one in problems])
