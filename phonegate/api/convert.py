"""Converts parsed JSON to request types, by a strict cattrs converter, and answers to JSON.

The problems of a request are collected, each under the name of its field, `messages[2].to`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from phonegate.api.endpoint import NUMBERED
from phonegate.api.field_names import MAX_PROBLEMS, UnknownFields, joined
from phonegate.api.reported_types import Reports
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.typed_json.fields import Rule, Wrong, WrongEntries, json_name, rule_of
from phonegate.typed_json.plain_reader import PlainReader
from phonegate.typed_json.rules import Several
from phonegate.typed_json.writer import JsonWriter, Source

T = TypeVar("T")


class Converter:
    """Reads requests and writes answers. It holds code that is made from types, and no data."""

    def __init__(self) -> None:
        self._cattrs = cattrs.Converter()
        self._cattrs.register_structure_hook_factory(_has_rule, self._rule_hook)
        self._cattrs.register_structure_hook_factory(attrs.has, self._object_hook)
        self._plain_reader = PlainReader()
        self._json_writer = JsonWriter()

    def structure(self, value: object, cls: type[T]) -> T:
        """Makes a request object of parsed JSON.

        Raises:
            BadInput: naming every wrong field, up to the hundredth.
        """
        return self.read(value, cls)[0]

    def read_known(self, value: object, cls: type[T]) -> T:
        """Makes a request object of parsed JSON as `structure` does, and looks at no other field.

        Raises:
            BadInput: naming every wrong field.
        """
        return self._structured(value, cls, ())

    def read(
        self, value: object, cls: type[T], beside: Sequence[str] = ()
    ) -> tuple[T, Sequence[str]]:
        """Makes a request object of parsed JSON, and lists the fields that were ignored.

        Args:
            value: The JSON.
            cls: The type.
            beside: Names of fields that are known beside the type's, and not for it.

        Raises:
            BadInput: naming every wrong field.
        """
        plain = self._plain_reader.reader(cls)
        if plain is not None:
            try:
                return plain(value), ()
            except Wrong:
                pass  # or it has a field that its type does not know
        return self.read_any(value, cls, beside)

    def read_any(
        self, value: object, cls: type[T], beside: Sequence[str] = ()
    ) -> tuple[T, Sequence[str]]:
        """Reads as `read` does, which asks it where a value is not right in all its fields."""
        unknown = UnknownFields()
        unknown.look(value, cls, beside)
        return self._structured(value, cls, tuple(unknown.problems)), tuple(unknown.ignored)

    def _structured(self, value: object, cls: type[T], found: tuple[FieldProblem, ...]) -> T:
        try:
            read = self._cattrs.structure(value, cls)
        except (ClassValidationError, IterableValidationError, Wrong) as error:
            found += tuple(islice(_problems(error, ""), MAX_PROBLEMS))
            _let_go(error)
        if found:
            raise refusal(found)
        return read

    def text(self, answer: object) -> str:
        """Writes an answer as JSON text."""
        return self._json_writer.text(answer)

    def of_values(
        self,
        cls: type,
        parameters: Sequence[str],
        sources: Mapping[str, Source],
        used: Mapping[str, Any] = MappingProxyType({}),
    ) -> Callable[..., str]:
        """Makes a function that writes an answer without making it (see `JsonWriter.of_values`)."""
        return self._json_writer.of_values(cls, parameters, sources, used)

    def encode(self, answer: object) -> bytes:
        """Writes an answer as JSON text in UTF-8."""
        text = self.text(answer)
        # Half a surrogate pair is not UTF-8; no stored text has one, a carrier's words might.
        return text.encode("utf-8", "replace")

    def naming(self, answer: object, ignored: Sequence[str]) -> bytes:
        """Writes an answer as JSON text that also names the ignored fields of its request."""
        text = answer if isinstance(answer, bytes) else self.encode(answer)
        if not text.startswith(b'{"'):  # no object that something could be added to
            return text
        return text[:-1] + b',"ignored":' + self.encode(list(ignored)) + b"}"

    def _rule_hook(self, type_: Any) -> Callable[[Any, Any], Any]:
        rule = rule_of(type_)
        if isinstance(rule, Several) and not isinstance(rule, Reports):
            return self._list_hook(rule, get_args(type_)[0])

        def read(value: object, _: Any) -> Any:
            return rule.read(value) if rule is not None else value

        return read

    def _list_hook(self, rule: Several, type_: Any) -> Callable[[Any, Any], Any]:
        item_type = get_args(type_)[0]
        inner = self._cattrs.get_structure_hook(item_type)

        def read(value: object, _: Any) -> Any:
            items: list[Any] = []
            errors: list[Exception] = []
            problems = 0
            for index, item in enumerate(rule.read(value)):
                try:
                    items.append(inner(item, item_type))
                except (ClassValidationError, IterableValidationError, Wrong) as error:
                    error.add_note(IterableValidationNote(f"[{index}]", index, item_type))
                    errors.append(error)
                    problems += len(getattr(error, "exceptions", (error,)))
                    if problems >= MAX_PROBLEMS:
                        break
            if errors:
                raise IterableValidationError("In a list", errors, type_)
            return tuple(items)

        return read

    def _object_hook(self, cls: type) -> Callable[[Any, Any], Any]:
        renamed: dict[str, Any] = {
            a.name: override(rename=json_name(a.name))
            for a in attrs.fields(cls)
            if json_name(a.name) != a.name
        }
        inner: Callable[[Any, Any], Any] = make_dict_structure_fn(cls, self._cattrs, **renamed)

        def read(value: object, _: Any) -> Any:
            if type(value) is not dict:
                raise Wrong("must be an object")
            return inner(value, cls)

        return read


def refusal(problems: tuple[FieldProblem, ...]) -> BadInput:
    """Makes the refusal of a request with wrong fields. Its sentence names the first of them."""
    first = problems[0]
    if first.sentence is not None:
        return BadInput(first.sentence, problems[:MAX_PROBLEMS])
    shown_more = min(len(problems), MAX_PROBLEMS) - 1
    more = f" ({shown_more} more in errors.)" if shown_more else ""
    name, end = first.field or "The body", "" if first.problem.endswith("?") else "."
    return BadInput(f"{name} {first.problem}{end}{more}", problems[:MAX_PROBLEMS])


def id_in_path(text: str, name: str = "id") -> int:
    """Reads the number that names a thing in a path, where it is called *name*.

    Raises:
        BadInput: It is no such number.
    """
    try:
        number: int = NUMBERED.read_text(text)
    except Wrong as error:
        raise refusal((FieldProblem(name, str(error)),)) from None
    return number


def _has_rule(type_: Any) -> bool:
    return get_origin(type_) is Annotated and any(isinstance(m, Rule) for m in type_.__metadata__)


def _problems(error: BaseException, at: str) -> Iterator[FieldProblem]:
    """Yields every problem that cattrs found, with the path of its field."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        for inner in error.exceptions:
            yield from _problems(inner, _path(inner, at))
    elif isinstance(error, KeyError):
        yield FieldProblem(at, "is required")
    elif isinstance(error, WrongEntries):
        for index, name, problem in error.entries:
            entry = f"{at}[{index}]"
            yield FieldProblem(joined(entry, name) if name else entry, problem)
    elif isinstance(error, Wrong):
        yield FieldProblem(at, str(error), error.sentence)
    else:
        raise error


def _let_go(error: BaseException) -> None:
    """Drops the tracebacks of errors, which would keep the whole request in memory."""
    error.__traceback__ = None
    for inner in getattr(error, "exceptions", ()):
        _let_go(inner)


def _path(error: BaseException, at: str) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return joined(at, json_name(note.name))
        if isinstance(note, IterableValidationNote):
            return f"{at}[{note.index}]"
    return at


CONVERTER: Final = Converter()
"""The one converter. It is costly to make and never changes, like a compiled pattern."""
