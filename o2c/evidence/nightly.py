"""Controls that are runs by the clock: each night one, and a run that found something is followed by one that
did not.
"""

from __future__ import annotations

from o2c.evidence.registry import Control

# As long as the health page waits before it turns red.
LONGEST = "36 hours"


def nightly(
    *, code: str, title: str, risk: str, enforced_by: str, model: str, table: str, ran: str, bad: str
) -> Control:
    """`ran` and `bad` are SQL on a row `x`: a run of everything; one that found something.

    Found are nights without a run, between two runs and at the end; a period without any run is one item 0.
    """
    runs = f"FROM {table} x WHERE x.recorded_at >= %(start)s AND x.recorded_at < %(end)s AND ({ran})"
    following = (
        f"CROSS JOIN LATERAL (SELECT coalesce((SELECT min(n.recorded_at) FROM {table} n WHERE n.id > x.id"
        f" AND ({ran.replace('x.', 'n.')})), now()) AS at) f WHERE"
    )
    return Control(
        code=code,
        title=title,
        risk=risk,
        kind="detective",
        enforced_by=enforced_by,
        model=model,
        population=f"SELECT x.*, ({bad}) AS found_something {runs} ORDER BY x.id",
        exceptions=f"""
SELECT x.id, 'the next run was ' || (f.at - x.recorded_at) || ' later' AS problem
{runs.replace("WHERE", following, 1)} AND f.at > x.recorded_at + interval '{LONGEST}'
UNION ALL SELECT x.id, 'found something, and no later run found it mended' {runs} AND ({bad})
  AND NOT EXISTS (SELECT FROM {table} n WHERE n.id > x.id AND ({ran.replace("x.", "n.")})
                  AND NOT ({bad.replace("x.", "n.")}))
UNION ALL SELECT 0, 'nothing ran from ' || %(start)s || ' on' WHERE NOT EXISTS (SELECT {runs})
  AND least(%(end)s::timestamptz, now()) > %(start)s::timestamptz + interval '{LONGEST}'
ORDER BY 1, 2""",
    )
