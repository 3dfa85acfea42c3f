"""Controls over jobs: what was asked for was done, or somebody saw to it."""

from __future__ import annotations

from o2c.evidence.registry import Control

_ASKED = """
FROM runtime_job j JOIN access_user u ON u.id = j.actor_id
WHERE j.created_at >= %(start)s AND j.created_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-17",
        title="Every job that was started ended well, or was done again",
        risk="Work is believed done that failed",
        kind="detective",
        enforced_by="o2c.runtime.jobs, task o2c.runtime.sweep, health page",
        model="runtime.Job",
        population=f"""
SELECT j.id, j.kind, j.key, u.username AS asked_by, j.reason, j.state, j.attempts, j.created_at, j.started_at,
       j.finished_at, j.error
{_ASKED} ORDER BY j.id""",
        exceptions=f"""
SELECT j.id, j.kind || ' failed, and was not done again: ' || left(j.error, 200) AS problem {_ASKED}
  AND j.state = 'failed'
  AND NOT EXISTS (SELECT FROM runtime_job a WHERE a.id > j.id AND a.kind = j.kind AND a.state = 'succeeded'
                  AND a.key = j.key AND a.arguments = j.arguments)
UNION ALL SELECT j.id, j.kind || ' was given up' {_ASKED} AND j.state = 'cancelled' AND j.error = ''
  AND j.reason = ''
UNION ALL SELECT j.id, j.kind || ' waits since ' || j.created_at {_ASKED}
  AND j.state IN ('queued', 'running') AND greatest(j.created_at, j.due_at) < now() - interval '24 hours'
  AND coalesce(j.leased_until, '-infinity') < now()
ORDER BY 1, 2""",
    ),
]
