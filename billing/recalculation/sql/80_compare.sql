-- Every key that either calculator wants to bill, side by side. What cannot be recomputed stands as drafted.
CREATE TEMPORARY TABLE recalc_beside ON COMMIT DROP AS
SELECT coalesce(d.line_id, n.line_id) AS line_id, coalesce(d.segment_id, n.segment_id) AS segment_id,
       coalesce(d.kind, n.kind) AS kind, coalesce(d.period_from, n.period_from) AS period_from,
       d.slot_id, coalesce(d.expected, 0) AS expected, coalesce(d.billed, 0) AS billed,
       CASE WHEN o.line_id IS NULL THEN coalesce(d.due, 0) ELSE coalesce(n.net, 0) END AS due,
       coalesce(n.net, 0) AS drafted, n.invoice_line_id
FROM (
  SELECT u.* FROM recalc_due u, recalc_asked a
  WHERE (u.due <> 0 OR EXISTS (SELECT 1 FROM recalc_drafted n WHERE (n.line_id, n.segment_id, n.kind, n.period_from)
                                 = (u.line_id, u.segment_id, u.kind, u.period_from)))
    AND (NOT u.corrects OR u.changes_on < a.through)
    -- More usage of a period that was billed early waits for the period's end.
    AND (a.early OR u.kind <> 'usage' OR NOT u.corrects OR u.slot_id IS NULL OR u.due <= 0
         OR u.due_on < a.through)
) d
FULL JOIN recalc_drafted n
  ON (n.line_id, n.segment_id, n.kind, n.period_from) = (d.line_id, d.segment_id, d.kind, d.period_from)
LEFT JOIN (SELECT DISTINCT line_id FROM recalc_odd) o ON o.line_id = coalesce(d.line_id, n.line_id)
