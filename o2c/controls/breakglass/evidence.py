"""Controls over emergency access."""

from __future__ import annotations

from o2c.evidence.registry import Control

_OPENED = """
FROM breakglass_session s JOIN access_user u ON u.id = s.user_id
LEFT JOIN access_user a ON a.id = s.authorised_by_id LEFT JOIN access_user v ON v.id = s.reviewed_by_id
WHERE s.opened_at >= %(start)s AND s.opened_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-20",
        title="Emergency access is opened by a second person, and reviewed by a third in time",
        risk="Emergencies become a way around segregation of duties",
        kind="preventive",
        enforced_by="triggers o2c_breakglass_signed and o2c_breakglass, check constraints",
        model="breakglass.Session",
        population=f"""
SELECT s.id, u.username AS used_by, array_to_string(s.duties, ' ') AS duties, s.ticket, s.reason, s.hours,
       a.username AS opened_by, s.opened_at, s.ends_at, v.username AS reviewed_by, s.reviewed_at,
       s.review_due_at, s.finding, s.state,
       (SELECT count(*) FROM breakglass_use x WHERE x.session_id = s.id) AS uses
{_OPENED} ORDER BY s.id""",
        exceptions=f"""
SELECT s.id, 'opened by whoever used it' AS problem {_OPENED} AND s.authorised_by_id = s.user_id
UNION ALL SELECT s.id, 'reviewed by whoever used or opened it' {_OPENED}
  AND s.reviewed_by_id IN (s.user_id, s.authorised_by_id)
UNION ALL SELECT s.id, 'not reviewed by ' || s.review_due_at {_OPENED}
  AND s.review_due_at < coalesce(s.reviewed_at, now())
UNION ALL SELECT s.id, 'lasted longer than four hours, or than was asked for' {_OPENED}
  AND s.ends_at > s.opened_at + make_interval(hours => least(s.hours, 4))
UNION ALL SELECT s.id, 'was not justified' {_OPENED} AND s.finding = 'not_justified'
UNION ALL SELECT s.id, 'lent ' || x.duty || ', which nobody asked for'
  {_OPENED.replace("WHERE", "JOIN breakglass_use x ON x.session_id = s.id WHERE", 1)}
  AND x.duty <> ALL(s.duties)
UNION ALL SELECT s.id, 'was used when it was not open'
  {_OPENED.replace("WHERE", "JOIN breakglass_use x ON x.session_id = s.id WHERE", 1)}
  AND (x.recorded_at < s.opened_at OR x.recorded_at > s.ends_at)
ORDER BY 1, 2""",
    ),
]
