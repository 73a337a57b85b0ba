"""What a person reads when a command fails, for every error that is not a fault of ours."""

import sys
from collections.abc import Iterator


class Failure(Exception):
    """A command can't do what it was asked; the text is for the person who typed it."""


def explain(error: BaseException) -> str | None:
    """The text for a person, or None for an error that only a programmer can read."""
    known = (*_loaded(), Failure, OSError, UnicodeError)
    causes = list(_causes(error))
    if not all(isinstance(cause, known) for cause in causes):
        return None
    return "\n".join(_sentence(cause) for cause in causes)


def reader_left(error: BaseException) -> bool:
    """Whether it is only that whoever read our output had enough (`phonegate messages | head`)."""
    return all(isinstance(cause, BrokenPipeError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves, without the groups that nurseries wrap them in."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    else:
        yield error


def _loaded() -> tuple[type[BaseException], ...]:
    """Our error classes, of those modules that this run has loaded: others can't have failed."""
    names = {
        "phonegate.config": "ConfigError",
        "phonegate.control": "ControlError",
        "phonegate.domain.errors": "Refused",
        "phonegate.door.errors": "DoorError",
        "phonegate.handset.errors": "HandsetError",
        "phonegate.store.errors": "StoreError",
    }
    found = ((sys.modules.get(module), name) for module, name in names.items())
    classes = (getattr(module, name, None) for module, name in found if module is not None)
    return tuple(one for one in classes if one is not None)


def _sentence(error: BaseException) -> str:
    faults = getattr(error, "faults", None)
    if faults is not None:
        many = f"the configuration has {len(faults)} faults" if len(faults) > 1 else "configuration"
        return f"{many}:\n" + "\n".join(f"  {fault}" for fault in faults)
    # Its own text quotes what could not be read or written, which may be a message or a secret.
    if isinstance(error, UnicodeEncodeError) and not error.encoding.lower().startswith("utf"):
        return f"The character set {error.encoding} can't show some of the text; use UTF-8."
    if isinstance(error, UnicodeError):
        return "Some of the input is not UTF-8 text."
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)
