"""Controls over access."""

from __future__ import annotations

from o2c.evidence.registry import Control

_GRANTED = """
FROM access_historicalrolegrant g JOIN access_user u ON u.id = g.user_id
JOIN access_role r ON r.id = g.role_id
WHERE g.history_type = '+' AND g.history_date >= %(start)s AND g.history_date < %(end)s
"""

CONTROLS = [
    Control(
        code="C-15",
        title="Access is granted by somebody else, with a reason",
        risk="People give themselves what they should not have",
        kind="preventive",
        enforced_by="check constraint on access_rolegrant, rules of kind grant",
        model="access.RoleGrant",
        population=f"""
SELECT g.id, u.username AS "user", r.code AS role, g.history_actor AS granted_by, g.reason, g.valid_from,
       g.valid_to, g.history_date AS granted_at
{_GRANTED} ORDER BY g.history_id""",
        exceptions=f"""
SELECT g.id, u.username || ' granted ' || r.code || ' to themselves' AS problem {_GRANTED}
  AND g.history_user_id = g.user_id
UNION ALL SELECT g.id, 'a service account without an owner holds ' || r.code {_GRANTED}
  AND u.kind = 'service' AND u.owner_id IS NULL
ORDER BY 1, 2""",
    ),
]
