"""The text for a person when a command fails, for every error that is not a bug of phonegate."""

import sys
from collections.abc import Iterator

from phonegate.cli.refusals import refusal


class Failure(Exception):
    """A command failed. The text is for the person who typed it."""


def explain(error: BaseException) -> str | None:
    """Returns the text for a person, or None for an error that only a programmer can read."""
    known = (*_loaded(), Failure, OSError, UnicodeError)
    causes = list(_causes(error))
    if not all(isinstance(cause, known) for cause in causes):
        return None
    return "\n".join(_sentence(cause) for cause in causes)


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
        "phonegate.client.errors": "GatewayError",
        "phonegate.config.reader": "ConfigError",
        "phonegate.operations.control_client": "ControlError",
        "phonegate.model.refusals": "Refused",
        "phonegate.server.errors": "ServerError",
        "phonegate.phone.errors": "PhoneError",
        "phonegate.model.storage_errors": "StoreError",
        "phonegate.trust": "UnusableAuthority",
        "phonegate.environment_proxies": "UnusableProxy",
        "phonegate.local_ca.errors": "LocalCaError",
    }
    found = ((sys.modules.get(module), name) for module, name in names.items())
    classes = (getattr(module, name, None) for module, name in found if module is not None)
    return tuple(one for one in classes if one is not None)


def _sentence(error: BaseException) -> str:
    client = sys.modules.get("phonegate.client.errors")
    if client is not None and isinstance(error, client.GatewayError):
        from phonegate.cli import gateway_words  # noqa: PLC0415 - keeps `--help` fast

        return gateway_words.sentence(error)
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
