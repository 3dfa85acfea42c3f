"""The trail itself as a control: the chain of seals, without the verifier's program."""

from __future__ import annotations

from o2c.evidence.registry import Control

_SEALED = """
FROM audit_block b LEFT JOIN audit_block p ON p.n = b.n - 1
WHERE b.sealed_at >= %(start)s AND b.sealed_at < %(end)s
"""
_LEAVES = """CROSS JOIN LATERAL (SELECT count(*) AS n FROM audit_leaf l WHERE CASE b.kind
  WHEN 'epoch' THEN l.epoch = b.epoch - 1 AND l.xid >= b.from_xid
  ELSE l.epoch = b.epoch AND l.xid >= b.from_xid AND l.xid < b.upto_xid END) l"""
# Anchors are written every ten minutes.
ANCHORED_WITHIN = "1 hour"

CONTROLS = [
    Control(
        code="C-19",
        title="History is sealed without a gap, and signed outside the database within the hour",
        risk="What was done is changed afterwards, or by whom",
        kind="detective",
        enforced_by="sealer, anchors, o2c/audit/verify.py; trigger o2c_block on audit_block",
        model="audit.Block",
        population=f"""
SELECT b.n AS id, b.epoch, b.kind, b.from_xid, b.upto_xid, b.count, b.total, b.root, b.hash, b.sealed_at,
       (SELECT min(a.recorded_at) FROM audit_anchor a WHERE a.block_id >= b.n) AS anchored_at
{_SEALED} ORDER BY b.n""",
        exceptions=f"""
SELECT b.n AS id, 'does not follow the block before it' AS problem {_SEALED} AND b.n > 1
  AND (p.n IS NULL OR b.prev <> p.hash OR b.from_xid <> p.upto_xid)
UNION ALL SELECT b.n, 'does not add up' {_SEALED} AND b.total <> coalesce(p.total, 0) + b.count
UNION ALL SELECT b.n, 'counts ' || b.count || ' leaves, and has ' || l.n
  {_SEALED.replace("WHERE", f"{_LEAVES} WHERE", 1)} AND l.n <> b.count
UNION ALL SELECT b.n, 'is not what its hash says' {_SEALED}
  AND b.hash <> encode(sha256(convert_to((
    SELECT string_agg(octet_length(t.text) || ':' || t.text, '' ORDER BY t.position)
    FROM unnest(ARRAY[b.n::text, b.epoch::text, b.kind, b.from_xid::text, b.upto_xid::text, b.next_xid::text,
      b.count::text, b.total::text, b.root, b.prev,
      to_char(b.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), b.incarnation, b.note])
      WITH ORDINALITY AS t(text, position)), 'UTF8')), 'hex')
UNION ALL SELECT b.n, 'was not anchored within {ANCHORED_WITHIN}' {_SEALED}
  AND b.sealed_at + interval '{ANCHORED_WITHIN}' < coalesce((
    SELECT min(a.recorded_at) FROM audit_anchor a WHERE a.block_id >= b.n), now())
UNION ALL SELECT a.block_id, 'anchor ' || a.id || ' says another block, or is in fewer than two places'
FROM audit_anchor a JOIN audit_block b ON b.n = a.block_id
WHERE a.recorded_at >= %(start)s AND a.recorded_at < %(end)s
  AND (a.body->>'hash' <> b.hash OR (a.body->>'total')::bigint <> b.total OR jsonb_array_length(a.places) < 2)
ORDER BY 1, 2""",
    ),
]
