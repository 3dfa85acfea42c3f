-- Billed by a schedule and not by periods: what falls on a day is one charge, named by the line's oldest segment. A
-- milestone falls on the day of which its last record says that it was reached, and on none while it was not.

CREATE TEMPORARY TABLE recalc_instalment ON COMMIT DROP AS
WITH dated AS (
  SELECT l.line_id, i.n, (i.item->>'amount')::numeric AS amount,
         coalesce(i.item->>'milestone', nullif(i.item->>'name', ''), 'Instalment ' || i.n) AS name,
         CASE WHEN i.item ? 'milestone' THEN m.reached_on ELSE (i.item->>'on')::date END AS falls_on
  FROM recalc_line l JOIN orders_orderline o ON o.id = l.line_id
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(o.schedule) = 'array' THEN o.schedule ELSE '[]' END) WITH ORDINALITY AS i(item, n)
  LEFT JOIN LATERAL (
    SELECT r.reached_on FROM orders_milestonerecord r
    WHERE r.line_id = l.line_id AND r.milestone = i.item->>'milestone' ORDER BY r.sequence DESC LIMIT 1
  ) m ON true
  WHERE l.every = 'custom'
)
SELECT -1000000000 - row_number() OVER () AS slot_id, l.line_id, g.segment_id, l.kind, d.falls_on AS period_from,
       d.falls_on AS service_from, d.falls_on + 1 AS service_to, d.falls_on AS due_on,
       jsonb_agg(jsonb_build_array(d.name, d.amount::text) ORDER BY d.n) AS parts, sum(d.amount) AS exact,
       round(sum(d.amount), l.digits) AS amount
FROM dated d JOIN recalc_line l USING (line_id)
JOIN LATERAL (
  SELECT min(s.id) AS segment_id FROM orders_segment s WHERE s.line_id = l.line_id AND NOT s.paused
) g ON true
WHERE d.falls_on < l.ends AND d.falls_on < (SELECT ends_on FROM recalc_horizon)
GROUP BY l.line_id, g.segment_id, l.kind, l.digits, d.falls_on
