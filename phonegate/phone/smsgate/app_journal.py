"""The disk of simulated phones: the steps of each app, in one append-only file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import attrs
import cattrs

from phonegate.phone.smsgate.app_memory import AppMemory, Record
from phonegate.phone.smsgate.step_file import StepFile

_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Record)}

_CONVERTER: Final = cattrs.Converter()

_NO_STEP: Final = "is not a step of an app"

_DAMAGE: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors of a line with values that JSON may have and no step has."""


class AppJournal:
    """Stores the steps of one app, then applies them. `memory` is for reading."""

    def __init__(
        self,
        memory: AppMemory | None = None,
        write: Callable[[Sequence[Record]], None] | None = None,
    ) -> None:
        self.memory = AppMemory() if memory is None else memory
        self._write = write

    def record(self, *records: Record) -> None:
        """Stores records as one step. Once this returns, a kill does not undo it.

        Raises:
            JournalUnusable: They could not be written.
        """
        if not records:
            return
        if self._write is not None:
            self._write(records)
        for record in records:
            self.memory.apply(record)


def encode(phone: str, records: Sequence[Record]) -> bytes:
    """Returns one line of a journal file: the records of one step of a phone."""
    step = [{"record": type(record).__name__, **attrs.asdict(record)} for record in records]
    return json.dumps({"phone": phone, "step": step}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> tuple[str, list[Record]]:
    """Returns the phone and the records of one line.

    Raises:
        ValueError: It is not a line of a journal.
    """
    try:
        fields = json.loads(line)
        records = [_CONVERTER.structure(one, _KINDS[one.pop("record")]) for one in fields["step"]]
        return fields["phone"], records
    except (*_DAMAGE, cattrs.BaseValidationError) as error:
        raise ValueError(_NO_STEP) from error


class AppJournalFile(StepFile):
    """A file with the steps of any number of phones."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and reads its steps.

        Raises:
            JournalUnusable: It can't be opened, another program uses it, or it is damaged.
        """
        self._memories: dict[str, AppMemory] = {}
        super().__init__(path, self._take)

    def _take(self, line: bytes) -> None:
        phone, records = decode(line)
        try:
            memory = self._memories.setdefault(phone, AppMemory())
            for record in records:
                memory.apply(record)
        except _DAMAGE as error:
            raise ValueError(_NO_STEP) from error

    def journal(self, phone: str) -> AppJournal:
        """Returns the journal of one phone, with all its steps in the file."""

        def write(records: Sequence[Record]) -> None:
            self.append(encode(phone, records))

        return AppJournal(self._memories.setdefault(phone, AppMemory()), write)
