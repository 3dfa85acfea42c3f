"""Controls over what leaves the console as a file."""

from __future__ import annotations

from o2c.evidence.registry import Control

_TAKEN = """
FROM console_exportevent x JOIN access_user u ON u.id = x.user_id
WHERE x.recorded_at >= %(start)s AND x.recorded_at < %(end)s
"""

CONTROLS = [
    Control(
        code="C-18c",
        title="Every list that left as a file is on record: which rows, by whom, with the hash of the file",
        risk="A decision rests on a list that nobody can find again, or that was changed on the way",
        kind="detective",
        enforced_by="o2c.console.export, append-only console_exportevent and access_readevent",
        model="console.ExportEvent",
        population=f"""
SELECT x.id, u.username AS taken_by, x.model, x.title, x.filters, x.rows, x.file_name, x.sha256, x.recorded_at
{_TAKEN} ORDER BY x.id""",
        exceptions=f"""
SELECT x.id, 'no reading is on record for ' || x.file_name AS problem {_TAKEN}
  AND NOT EXISTS (SELECT FROM access_readevent a WHERE a.kind = 'export' AND a.actor_id = x.actor_id
                  AND a.rows = x.rows AND right(a.what, 100) = right(x.title || ': ' || x.file_name, 100))
UNION ALL SELECT x.id, 'was taken in the name of somebody else' {_TAKEN} AND x.actor_id <> x.user_id
UNION ALL SELECT x.id, 'has no hash by which the file is known' {_TAKEN} AND x.sha256 !~ '^[0-9a-f]{{64}}$'
ORDER BY 1, 2""",
    ),
]
