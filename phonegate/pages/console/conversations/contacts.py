"""The screens of contacts: names for numbers, one by one and by the file."""

from typing import Any, Final

from quart import Response

from phonegate.domain.contact_files import ReadContacts, read_file
from phonegate.domain.contacts import Imported
from phonegate.domain.line_problems import MOST_SHOWN, LineProblem
from phonegate.domain.recipients import READING
from phonegate.domain.vcards import write_vcards
from phonegate.model.contacts import Contact
from phonegate.model.refusals import FieldProblem, NotFound, Refused
from phonegate.pages.console import csv_cells
from phonegate.pages.console.default_country import chosen_country
from phonegate.pages.console.downloads import download, in_turn
from phonegate.pages.console.form_fields import Form, Line
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit

FORM: Final = Form(Line("name", "Name"), Line("number", "Number"), Line("label", "Kind"))

CHOOSE: Final = "Choose a file, or paste what is in it."


async def show(visit: Visit) -> Response:
    """Lists contacts by name."""
    search = visit.query.get("q", "").strip()
    page = await visit.services.contacts.page(visit.principal, search, visit.query.get("after", ""))
    return await visit.page("console/contacts.html", page=page, search=search)


async def suggest(visit: Visit) -> Response:
    """Lists a few contacts for what has been typed so far, for scripts."""
    found = await visit.services.contacts.suggest(visit.principal, visit.query.get("q", ""))
    return visit.answer(
        [{"name": one.name, "number": one.number, "label": one.label} for one in found]
    )


async def new(visit: Visit) -> Response:
    """Shows the form for a contact, which may know its number already."""
    filled = FORM.empty(number=visit.query.get("number", ""), name=visit.query.get("name", ""))
    return await visit.page("console/contact.html", filled=filled, number=None)


async def add(visit: Visit) -> Response:
    """Stores a contact."""
    return await _put(visit, None)


async def edit(visit: Visit) -> Response:
    """Shows the form of a contact."""
    number = visit.path["number"]
    found = await visit.services.contacts.find(visit.principal, number)
    if found is None:
        raise NotFound("There is no such contact.")
    filled = FORM.of({"name": found.name, "number": found.number, "label": found.label})
    return await visit.page("console/contact.html", filled=filled, number=number)


async def change(visit: Visit) -> Response:
    """Changes a contact, its number included."""
    return await _put(visit, visit.path["number"])


async def _put(visit: Visit, number: str | None) -> Response:
    sent = await visit.form()
    body = {"name": "", "number": "", "label": ""} | FORM.body(sent)
    try:
        stored = await visit.services.contacts.put(
            visit.principal,
            Contact(**body),
            instead_of=number,
            country=visit.services.org_options.of(visit.principal.org).default_country,
        )
    except Refused as refused:
        filled = FORM.again(sent, refused)
        return await visit.page("console/contact.html", status=422, filled=filled, number=number)
    return visit.go("/contacts", said=f"{stored.name} is kept with {stored.number}.")


async def ask_removal(visit: Visit) -> Response:
    """Asks whether a contact is to be removed."""
    number = visit.path["number"]
    found = await visit.services.contacts.find(visit.principal, number)
    if found is None:
        raise NotFound("There is no such contact.")
    return await question(
        visit,
        f"Remove {found.name}?",
        sentences=("The messages with this number stay. Only its name is forgotten.",),
        action=visit.url("/contacts", number, "remove"),
        word="Remove",
        back=visit.url("/contacts", number),
    )


async def remove(visit: Visit) -> Response:
    """Removes a contact."""
    if not await visit.services.contacts.remove(visit.principal, visit.path["number"]):
        raise NotFound("There is no such contact.")
    return visit.go("/contacts", said="The contact is removed.")


async def ask_clearing(visit: Visit) -> Response:
    """Asks whether all contacts are to be removed."""
    page = await visit.services.contacts.page(visit.principal)
    return await question(
        visit,
        f"Remove all {page.total} contacts?",
        sentences=("Export them first if you may need them again. The messages stay.",),
        action=visit.url("/contacts/clear"),
        word="Remove all",
        back=visit.url("/contacts/import"),
    )


async def clear(visit: Visit) -> Response:
    """Removes all contacts."""
    removed = await visit.services.contacts.clear(visit.principal)
    return visit.go("/contacts", said=f"{removed} contacts are removed.")


async def import_form(visit: Visit) -> Response:
    """Shows how contacts are brought here, and taken away."""
    return await _import_page(visit)


async def take(visit: Visit) -> Response:
    """Stores the contacts of a file, and shows what became of its lines."""
    form, files = await visit.form(), await visit.files()
    country, problems = form.get("country", ""), list[FieldProblem]()
    chosen_one = chosen_country(visit, country, problems)
    if problems:
        return await _import_page(visit, country=country, problem=problems[0].problem)
    chosen = files.get("file")
    data = b"" if chosen is None else chosen.read()
    if not data:
        data = form.get("pasted", "").encode()
    if not data.strip():
        return await _import_page(visit, country=country, whole=CHOOSE)
    read = await visit.services.large_bodies.read(
        lambda: read_file(data, chosen_one), READING * len(data), visit.principal.org
    )
    if not read.contacts and len(read.problems) == 1:
        return await _import_page(visit, country=country, whole=in_words(read.problems[0]))
    try:
        outcome = await visit.services.contacts.take(visit.principal, read.contacts)
    except Refused as refused:
        return await _import_page(visit, country=country, whole=refused.detail)
    return await visit.page("console/contacts_imported.html", **_outcome(read, outcome))


def in_words(problem: LineProblem) -> str:
    """Says what is wrong with a line, or with the whole."""
    text = problem.problem.removesuffix(".")
    return f"Line {problem.line} {text}." if problem.line else f"{text}."


def _outcome(read: ReadContacts, outcome: Imported) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "read": len(read.contacts),
        "lists": [
            ("Lines that were left out", *_shown(read.problems)),
            ("Numbers that came twice", *_shown(read.duplicates)),
        ],
    }


def _shown(problems: tuple[LineProblem, ...]) -> tuple[tuple[LineProblem, ...], int]:
    """Returns the first problems, and how many there are in all."""
    return problems[:MOST_SHOWN], len(problems)


async def _import_page(
    visit: Visit, *, country: str = "", problem: str = "", whole: str = ""
) -> Response:
    status = 422 if problem or whole else 200
    return await visit.page(
        "console/contacts_import.html",
        status=status,
        country=country,
        default_country=visit.services.org_options.of(visit.principal.org).default_country,
        problem=problem,
        whole=whole,
    )


async def as_vcards(visit: Visit) -> Response:
    """Gives all contacts out as vCards."""
    found = await visit.services.contacts.all(visit.principal)
    content = await in_turn(visit, len(found), lambda: write_vcards(found).encode())
    return download(content, "contacts.vcf", "text/vcard; charset=utf-8")


async def as_csv(visit: Visit) -> Response:
    """Gives all contacts out as a table."""
    found = await visit.services.contacts.all(visit.principal)
    rows = ((one.number, one.name, one.label) for one in found)
    content = await in_turn(
        visit, len(found), lambda: csv_cells.csv_file(("number", "name", "label"), rows)
    )
    return download(content, "contacts.csv", csv_cells.MEDIA)


ROUTES: Final = (
    Route(path="/contacts", scope=None, view=show),
    Route(path="/contacts", methods=("POST",), scope="manage", view=add),
    Route(path="/contacts/suggest", scope=None, view=suggest),
    Route(path="/contacts/new", scope="manage", view=new),
    Route(path="/contacts/import", scope="manage", view=import_form),
    Route(path="/contacts/import", methods=("POST",), scope="manage", view=take),
    Route(path="/contacts/clear", scope="manage", view=ask_clearing),
    Route(path="/contacts/clear", methods=("POST",), scope="manage", view=clear),
    Route(path="/contacts/contacts.vcf", scope=None, view=as_vcards),
    Route(path="/contacts/contacts.csv", scope=None, view=as_csv),
    Route(path="/contacts/<number>", scope="manage", view=edit),
    Route(path="/contacts/<number>", methods=("POST",), scope="manage", view=change),
    Route(path="/contacts/<number>/remove", scope="manage", view=ask_removal),
    Route(path="/contacts/<number>/remove", methods=("POST",), scope="manage", view=remove),
)
