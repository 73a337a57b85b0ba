"""Whether a hook takes calls, and with whose rights it sends."""

from phonegate.model.hooks import Hook
from phonegate.model.principal import Principal, Scope, allows
from phonegate.model.refusals import Gone
from phonegate.store.tables import Tables

SEND: Scope = "send"
"""All that a hook may do."""


def end_of_key(tx: Tables, key_id: str, now: int) -> None:
    """Disables the hooks that an API key binds, which is revoked. Its holder may know their URLs.

    Args:
        tx: The tables.
        key_id: The key.
        now: The time (ms).
    """
    for hook in tx.hooks.by_key(key_id):
        if hook.disabled_at is None:
            reason = f"The API key {key_id}, which it belongs to, was revoked."
            tx.hooks.set(hook.id, disabled_at=now, disabled_reason=reason)


def sender_of(hook: Hook, key: Principal | None) -> Principal:
    """Returns as whom a hook sends: the API key that binds it, as that is now, or else its org.

    Args:
        hook: The hook.
        key: Whom its key speaks for. None where it has none, or that is gone.

    Raises:
        Gone: It is disabled, or its key is gone or may not send.
    """
    if hook.disabled_at is not None:
        raise Gone(f"This hook is disabled. {hook.disabled_reason or ''}".strip())
    if hook.key is None:
        return Principal(org=hook.org, org_name=hook.org_name, scopes=(SEND,))
    if key is None or key.org != hook.org or not allows(key.scopes, SEND):
        raise Gone("This hook's API key may not send any more.")
    return Principal(
        org=key.org,
        org_name=key.org_name,
        scopes=(SEND,),
        key_id=key.key_id,
        limits=key.limits,
        generation=key.generation,
    )
