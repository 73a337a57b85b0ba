"""The org that a credential speaks for, and what it may do."""

from typing import Final

import attrs

from phonegate.api.assistants_types import OrgQuery
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
)
from phonegate.api.limits_types import LimitsJson, limits_json
from phonegate.typed_json.fields import field


@attrs.frozen(kw_only=True)
class MeAnswer:
    """The caller."""

    ok: bool = field("Always true.", default=True)
    org_id: str = field("The caller's org.", example="myorg")
    scopes: tuple[str, ...] = field("What the caller may do.", example=["send", "read"])
    key_id: str | None = field(
        "The API key's id, or null where the org's own secret was shown.", example="k3v9"
    )
    limits: LimitsJson | None = field(
        "What the key may do, where that is limited.", default=None, omit=True
    )


async def me(call: Call) -> Answer:
    """Answers with the caller."""
    caller = call.caller
    return Answer(
        content=MeAnswer(
            org_id=caller.org_name,
            scopes=caller.scopes,
            key_id=caller.key_id,
            limits=None if caller.limits is None else limits_json(caller.limits),
        )
    )


ENDPOINTS: Final = (
    Endpoint(
        name="me",
        method="GET",
        paths=("/me",),
        scope="any",
        group="keys",
        summary="Ask who a credential is",
        description="A key names its org by itself: a program that was given one and nothing "
        "else finds the org here, and what it may do.",
        query=OrgQuery,
        answer=MeAnswer,
        examples=(
            Example(
                title="a key's org and scopes",
                path="/me",
                headers=(("Authorization", "Bearer pgk_…"),),
                answer='{"ok":true,"org_id":"myorg","scopes":["send","read"],"key_id":"k3v9"}',
            ),
        ),
        handler=me,
    ),
)
