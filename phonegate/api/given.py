"""The parameters of a dialect's request, which may stand in its query, in a form or in JSON. Pure.

What is unknown is ignored: clients send what the program that they were written for knows.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from phonegate.api.convert import refusal
from phonegate.api.dialect import Texts
from phonegate.api.field_names import shown
from phonegate.api.flat_message import FORM, MULTIPART
from phonegate.api.payload import check_media, media_type, read_object
from phonegate.api.query import UNDECODED
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.typed_json.fields import Wrong, fields_of

OTHER_MEDIA: Final = "Send a form or JSON, and say so in the Content-Type."

MAX_PARAMETERS: Final = 1_000
"""Parameters of a form. A list of 500 recipients may come as so many."""


def given_texts(body: bytes, headers: Mapping[str, str], query: Texts) -> Texts:
    """Reads the parameters of a request. Those of its body come after those of its query.

    Args:
        body: A form, one of parts, or a JSON object. Empty for a GET.
        headers: By lower-case name.
        query: The parameters of the query.

    Raises:
        UnsupportedMedia: It declares another form.
        BadInput: It can't be read.
    """
    require_utf8(query)
    found: dict[str, list[str]] = {name: list(values) for name, values in query.items()}
    for name, value in _of_body(body, headers):
        found.setdefault(name, []).append(value)
    return found


def require_utf8(query: Texts) -> None:
    """Refuses a query with bytes that are no UTF-8.

    Raises:
        BadInput: It has some. All parameters that do are named.
    """
    foreign = [name for name, texts in query.items() if any(map(UNDECODED.search, (name, *texts)))]
    if foreign:
        raise refusal(tuple(FieldProblem(shown(name), "is not UTF-8") for name in foreign))


def _of_body(body: bytes, headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    if not body.strip():
        return ()
    content_type = headers.get("content-type")
    media = media_type(content_type, headers.get("content-encoding"))
    if media == MULTIPART:
        return multipart_pairs(body, content_type or "")
    if media == FORM and not body.lstrip().startswith((b"{", b"[")):
        return form_pairs(body)
    check_media(content_type, headers.get("content-encoding"), body, OTHER_MEDIA)
    return json_pairs(read_object(body))


def form_pairs(body: bytes, errors: str = "strict") -> list[tuple[str, str]]:
    """Returns the fields of a form, in their order.

    Args:
        body: As sent.
        errors: `surrogateescape` takes bytes that are no UTF-8, as a query has them.

    Raises:
        BadInput: It has too many, or is not UTF-8.
    """
    try:
        return parse_qsl(
            body.decode("utf-8", errors),
            keep_blank_values=True,
            errors=errors,
            max_num_fields=MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise BadInput("The form is not UTF-8.") from None
    except ValueError:
        raise _too_many() from None


def multipart_pairs(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """Returns the fields of a form of parts, in their order.

    Raises:
        BadInput: It has too many, or can't be read.
    """
    # Few clients send such forms, and werkzeug is large.
    from phonegate.api.multipart_form import TooManyParts, read_parts  # noqa: PLC0415

    try:
        return list(read_parts(body, content_type, MAX_PARAMETERS))
    except TooManyParts:
        raise _too_many() from None


def json_pairs(found: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yields the fields of a JSON object as texts. A list gives each of its values.

    What is null is left out, and an object within it stays JSON.
    """
    for name, value in found.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield name, text_of(one)


def text_of(value: object) -> str:
    """Returns a value of JSON as the text of a parameter."""
    return value if isinstance(value, str) else json.dumps(value)


def structured(cls: type, given: Texts) -> Any:
    """Makes an object of a type from parameters. Empty ones of optional fields count as absent.

    Raises:
        BadInput: Fields are wrong or missing. All are named.
    """
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for known in fields_of(cls):
        texts = given.get(known.name, ())
        many = known.rule is None
        if many:
            if texts:
                values[known.attribute] = tuple(texts)
            elif known.required:
                problems.append(FieldProblem(known.name, "is required"))
            continue
        if not texts or (not texts[0] and not known.required):
            if known.required:
                problems.append(FieldProblem(known.name, "is required"))
            continue
        try:
            values[known.attribute] = known.rule.read_text(texts[0])  # type: ignore[union-attr] # many
        except Wrong as error:
            problems.append(FieldProblem(known.name, str(error), error.sentence))
    if problems:
        raise refusal(tuple(problems))
    return cls(**values)


def _too_many() -> BadInput:
    return BadInput(f"The form has more than {MAX_PARAMETERS} fields.")
