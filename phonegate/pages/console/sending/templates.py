"""The screens of templates: texts that are sent again and again."""

from typing import Final

from quart import Response

from phonegate.model.contacts import Template
from phonegate.model.refusals import NotFound, Refused
from phonegate.pages.console.form_fields import Form, Line, Paragraphs
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit

FORM: Final = Form(Line("name", "Name"), Paragraphs("body", "Text"))


async def show(visit: Visit) -> Response:
    """Lists templates by name."""
    found = await visit.services.templates.of_org(visit.principal)
    return await visit.page("console/templates.html", templates=found)


async def new(visit: Visit) -> Response:
    """Shows the form for a template."""
    return await visit.page("console/template.html", filled=FORM.empty(), one=None)


async def add(visit: Visit) -> Response:
    """Stores a template."""
    return await _put(visit, None)


async def edit(visit: Visit) -> Response:
    """Shows the form of a template."""
    one = await _find(visit)
    filled = FORM.of({"name": one.name, "body": one.body})
    return await visit.page("console/template.html", filled=filled, one=one)


async def change(visit: Visit) -> Response:
    """Changes a template."""
    return await _put(visit, await _find(visit))


async def ask_removal(visit: Visit) -> Response:
    """Asks whether a template is to be removed."""
    one = await _find(visit)
    return await question(
        visit,
        f"Remove {one.name}?",
        sentences=("Messages that were made from it stay.",),
        action=visit.url("/templates", one.id, "remove"),
        word="Remove",
        back=visit.url("/templates", one.id),
    )


async def remove(visit: Visit) -> Response:
    """Removes a template."""
    one = await _find(visit)
    await visit.services.templates.remove(visit.principal, one.id)
    return visit.go("/templates", said=f"{one.name} is removed.")


async def _put(visit: Visit, one: Template | None) -> Response:
    sent = await visit.form()
    body = {"name": "", "body": ""} | FORM.body(sent)
    try:
        await visit.services.templates.put(
            visit.principal,
            **body,
            instead_of=None if one is None else one.id,
            most_characters=visit.services.org_options.of(visit.principal.org).max_characters,
        )
    except Refused as refused:
        filled = FORM.again(sent, refused)
        return await visit.page("console/template.html", status=422, filled=filled, one=one)
    return visit.go("/templates", said="The template is kept.")


async def _find(visit: Visit) -> Template:
    templates = await visit.services.templates.of_org(visit.principal)
    for one in templates:
        if str(one.id) == visit.path["id"]:
            return one
    raise NotFound("There is no such template.")


ROUTES: Final = (
    Route(path="/templates", scope="send", view=show),
    Route(path="/templates", methods=("POST",), scope="manage", view=add),
    Route(path="/templates/new", scope="manage", view=new),
    Route(path="/templates/<id>", scope="manage", view=edit),
    Route(path="/templates/<id>", methods=("POST",), scope="manage", view=change),
    Route(path="/templates/<id>/remove", scope="manage", view=ask_removal),
    Route(path="/templates/<id>/remove", methods=("POST",), scope="manage", view=remove),
)
