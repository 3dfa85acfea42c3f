"""How often the clock of approvals looks."""

from __future__ import annotations

SCHEDULE = {
    "o2c.approvals.tick": {"task": "o2c.approvals.tick", "schedule": 60.0, "options": {"expires": 120.0}},
}
