"""How long an event waits at most when nothing is wrong."""

from __future__ import annotations

SECONDS = 2.0

SCHEDULE = {
    # An old message says nothing that the next one doesn't: while all workers are busy they would pile up.
    "o2c.outbox.drain": {
        "task": "o2c.outbox.drain",
        "schedule": SECONDS,
        "options": {"expires": 2 * SECONDS},
    },
}
