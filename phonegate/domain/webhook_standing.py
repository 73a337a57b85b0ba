"""Whether a webhook is called, and whose eyes it sees with."""

from phonegate.model.principal import SCOPES, Principal, usable
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables


def disable(tx: Tables, webhook: Webhook, reason: str, now: int) -> None:
    """Ends the calls of a webhook until its owner enables it. What waits for it stays.

    Args:
        tx: The tables.
        webhook: The webhook.
        reason: Why, in a sentence that its owner is shown.
        now: The time (ms).
    """
    tx.webhooks.set(webhook.id, disabled_at=now, disabled_reason=reason)
    shown = {"id": webhook.id, "name": webhook.name, "disabled_at": now, "disabled_reason": reason}
    tx.events.record(webhook.org, "webhook.disabled", now, data=shown)


def end_of_key(tx: Tables, key_id: str, now: int) -> None:
    """Disables the webhooks that an API key has made, which is revoked.

    The holder of the key has chosen where they go.
    """
    for webhook in tx.webhooks.by_key(key_id):
        if webhook.disabled_at is None:
            disable(tx, webhook, f"The API key {key_id}, which made it, was revoked.", now)


def reader_of(tx: Tables, webhook: Webhook) -> Principal | None:
    """Returns as whom a webhook reads. None where it may read nothing, and gets nothing.

    That is the API key that made it, with the limits that the key has now, or else its org.
    """
    if webhook.key is None:
        return Principal(org=webhook.org, org_name=webhook.org_name, scopes=SCOPES)
    key = tx.keys.get(webhook.key)
    if key is None or key.org != webhook.org or "read" not in usable(key):
        return None
    return Principal(
        org=webhook.org,
        org_name=webhook.org_name,
        scopes=usable(key),
        key_id=key.id,
        limits=key.limits,
    )
