"""Samples for a shell, with curl."""

from typing import Final

_SEND: Final = """
curl -fsS --retry 5 --retry-connrefused -X POST 'BASE/send/myorg' \\
  -H "Authorization: Bearer $PHONEGATE_KEY" \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: dinner-2026-11-21" \\
  -d '{"to":"+15553334444","body":"Dinner at eight?"}'
"""

_READ: Final = """
# since_id is what you have read so far.
curl -fsS 'BASE/messages/myorg?direction=in&since_id=0' \\
  -H "Authorization: Bearer $PHONEGATE_KEY"
"""

_FOLLOW: Final = """
# A stream of events: a line "data: {…}" for each. The last line "id: …" is where to go on,
# with -H "Last-Event-ID: …".
curl -fsSN 'BASE/events/myorg?types=message.received' \\
  -H "Authorization: Bearer $PHONEGATE_KEY" \\
  -H "Accept: text/event-stream"
"""

_VERIFY: Final = """
# The body on standard input, and the three headers in WEBHOOK_ID, WEBHOOK_TIMESTAMP and
# WEBHOOK_SIGNATURE.
age=$(( $(date +%s) - WEBHOOK_TIMESTAMP ))
[ "${age#-}" -lt 300 ] || { echo "It is too old." >&2; exit 1; }
key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
own=$({ printf %s "$WEBHOOK_ID.$WEBHOOK_TIMESTAMP."; cat; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
case " $WEBHOOK_SIGNATURE " in
  *" v1,$own "*) echo "The gateway has sent it." ;;
  *) echo "It was not signed with this secret." >&2; exit 1 ;;
esac
"""

SAMPLES: Final = {"send": _SEND, "read": _READ, "follow": _FOLLOW, "verify": _VERIFY}
