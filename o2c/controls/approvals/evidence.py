"""Controls over the rules of approval themselves."""

from __future__ import annotations

from o2c.evidence.approved import item, reached, unapproved
from o2c.evidence.registry import Control

# Versions that ship are put in force by whoever installs the product, as its owner.
_IN_FORCE = f"""
FROM approvals_policy p {reached("approvals_historicalpolicy", "p.id", "w.state = 'active'")}
WHERE p.state <> 'draft' AND h.history_date >= %(start)s AND h.history_date < %(end)s
"""
_DRAFTED = f"{_IN_FORCE} AND NOT p.shipped"

CONTROLS = [
    Control(
        code="C-16",
        title="A policy is drafted by one person and put in force by another, with the controller's approval",
        risk="Somebody raises their own limit",
        kind="preventive",
        enforced_by="policy approvals.policy.activate, triggers o2c_shipped and o2c_stays_in_force, S48",
        model="approvals.Policy",
        population=f"""
SELECT p.id, p.act, p.version, p.title, p.shipped, p.note,
       (SELECT username FROM access_user u WHERE u.id = p.drafted_by_id) AS drafted_by,
       h.history_actor AS put_in_force_by, h.history_date AS in_force_from
{_IN_FORCE} ORDER BY p.id""",
        exceptions=f"""
SELECT p.id, 'drafted and put in force by one person' AS problem {_DRAFTED}
  AND (p.drafted_by_id = p.activated_by_id OR p.drafted_by_id = h.history_user_id)
UNION ALL SELECT p.id, 'says that it ships, and ' || h.history_actor || ' put it in force' {_IN_FORCE}
  AND p.shipped AND h.history_user_id > 0
UNION ALL SELECT p.id, 'was changed after it came into force' {_IN_FORCE}
  AND EXISTS (SELECT FROM approvals_historicalpolicy c WHERE c.id = p.id AND c.history_id > h.history_id
              AND c.content IS DISTINCT FROM h.content)
UNION ALL {unapproved("approvals.policy.activate", item("p.id") + _DRAFTED)}
ORDER BY 1, 2""",
    ),
]
