-- Which grant pays what of the usage that a run drafted. What each charge comes to stands above; its parts by days
-- are those of the drafts, which must sum to it.

-- Grants in the order in which they are drawn: priority, then expiry, then cost basis, then age.
CREATE TEMPORARY TABLE recalc_grant ON COMMIT DROP AS
SELECT g.id AS grant_id, g.customer_id, g.entity_id, g.currency, g.order_id, g.remaining, g.starts_on,
       coalesce(g.ends_on, 'infinity'::date) AS ends_on, g.scope,
       row_number() OVER (PARTITION BY g.customer_id, g.entity_id, g.currency
         ORDER BY g.priority, coalesce(g.ends_on, 'infinity'::date), round(g.paid, 100) / g.granted, g.starts_on, g.id)
         AS place
FROM billing_grant g
WHERE (SELECT run_id FROM recalc_asked) IS NOT NULL AND g.customer_id IN (
  SELECT o.customer_id FROM recalc_order r JOIN orders_order o ON o.id = r.order_id);

-- Usage charges that the run drafts in accounts with grants.
CREATE TEMPORARY TABLE recalc_used ON COMMIT DROP AS
SELECT b.line_id, b.segment_id, b.period_from, b.slot_id, b.due, b.invoice_line_id, o.id AS order_id, o.customer_id,
       o.entity_id, l.currency, l.digits, k.code AS sku, p.code AS product, coalesce(m.code, '') AS meter
FROM recalc_beside b JOIN recalc_line l USING (line_id) JOIN orders_order o ON o.id = l.order_id
JOIN orders_orderline r ON r.id = b.line_id JOIN orders_sku k ON k.id = r.sku_id
JOIN orders_product p ON p.id = k.product_id LEFT JOIN orders_meter m ON m.id = k.meter_id
WHERE b.kind = 'usage' AND b.drafted <> 0 AND EXISTS (
  SELECT 1 FROM recalc_grant g
  WHERE (g.customer_id, g.entity_id, g.currency) = (o.customer_id, o.entity_id, l.currency));

-- Its parts: before and now, without what was waived of them. A voided row counts below zero.
CREATE TEMPORARY TABLE recalc_part ON COMMIT DROP AS
WITH told AS (
  SELECT u.line_id, u.segment_id, u.period_from, t.part, (t.part->>2)::numeric * CASE WHEN v.id IS NULL THEN 1 ELSE -1 END
         * CASE c.kind WHEN 'waiver' THEN -1 ELSE 1 END AS amount, false AS fresh
  FROM recalc_used u JOIN billing_charge c ON (c.line_id, c.segment_id, c.period_from)
                                            = (u.line_id, u.segment_id, u.period_from)
  LEFT JOIN billing_charge v ON v.id = (c.trace->>'void_of')::bigint
  CROSS JOIN LATERAL jsonb_array_elements(coalesce(v.trace, c.trace)->'parts') AS t(part)
  WHERE c.kind IN ('usage', 'waiver')
  UNION ALL
  SELECT u.line_id, u.segment_id, u.period_from, t.part,
         (t.part->>2)::numeric * CASE n.kind WHEN 'waiver' THEN -1 ELSE 1 END, true
  FROM recalc_used u JOIN recalc_asked a ON true JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
  JOIN billing_invoiceline n ON n.invoice_id = i.id AND n.kind IN ('usage', 'waiver')
    AND (n.order_line_id, n.segment_id, (n.proposal->>'period_from')::date)
      = (u.line_id, u.segment_id, u.period_from)
  CROSS JOIN LATERAL jsonb_array_elements(n.trace->'parts') AS t(part)
)
SELECT row_number() OVER () AS part_id, line_id, segment_id, period_from, (part->>0)::date AS starts,
       max((part->>1)::date) AS ends, coalesce(sum(amount) FILTER (WHERE NOT fresh), 0) AS before,
       sum(amount) AS now
FROM told GROUP BY line_id, segment_id, period_from, part->>0;

-- Draws that are not given back whole, the last one first; what a part no longer needs goes back.
CREATE TEMPORARY TABLE recalc_held ON COMMIT DROP AS
WITH held AS (
  SELECT e.id, e.grant_id, p.part_id, p.now, -e.amount - coalesce((
           SELECT sum(r.amount) FROM billing_grantentry r WHERE r.reverses_id = e.id), 0) AS amount
  FROM recalc_part p JOIN billing_grantentry e ON (e.line_id, e.segment_id, e.period_from, e.part_from)
                                                = (p.line_id, p.segment_id, p.period_from, p.starts)
  WHERE e.kind = 'drawn'
), ranked AS (
  SELECT *, sum(amount) OVER (PARTITION BY part_id) - greatest(now, 0) AS surplus,
         sum(amount) OVER (PARTITION BY part_id ORDER BY id DESC) - amount AS later
  FROM held WHERE amount > 0
)
SELECT id, grant_id, part_id, amount, least(amount, greatest(surplus - later, 0)) AS back FROM ranked;

-- Of usage with some dimensions only: the share that the steps with these values have in the charge.
CREATE TEMPORARY TABLE recalc_matching ON COMMIT DROP AS
SELECT g.grant_id, u.line_id, u.segment_id, u.period_from,
       coalesce(sum(t.worth) FILTER (WHERE t.picked IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM jsonb_each(g.scope->'dimensions') AS d(name, among)
         WHERE NOT d.among @> coalesce(t.picked->d.name, 'null'))), 0) AS matching, coalesce(sum(t.worth), 0) AS whole
FROM recalc_grant g JOIN recalc_used u
  ON (g.customer_id, g.entity_id, g.currency) = (u.customer_id, u.entity_id, u.currency)
LEFT JOIN LATERAL (
  SELECT nullif(o.scope || s.picked, '{}') AS picked,
         s.sign * (s.units * s.unit_amount + s.flat_amount) * CASE WHEN EXISTS (
           SELECT 1 FROM recalc_leaf f WHERE f.clause = p.clause AND f.step_no = p.step_no AND f.cell_no = 0
             AND f.model = 'flat') THEN h.share ELSE 1 END AS worth
  FROM recalc_piece p JOIN recalc_step s USING (piece_id) JOIN recalc_portion o USING (portion_id)
  JOIN recalc_share h ON h.piece_id = p.piece_id
  WHERE p.slot_id = u.slot_id
) t ON true
WHERE g.scope->'dimensions' <> '{}'
GROUP BY g.grant_id, u.line_id, u.segment_id, u.period_from;

-- Every part that grew, offered to the grants that cover its line and all of its days, in their order.
CREATE TEMPORARY TABLE recalc_offer ON COMMIT DROP AS
SELECT u.customer_id, u.entity_id, u.currency, p.part_id, g.grant_id, g.place, p.now - greatest(p.before, 0) AS wanted,
       round(round(p.now, 100) * m.matching / nullif(m.whole, 0), u.digits) AS part_of_it, m.grant_id IS NOT NULL AS limited,
       row_number() OVER (PARTITION BY u.customer_id, u.entity_id, u.currency
         ORDER BY p.starts, p.ends, p.line_id,
                  (p.line_id || '/' || p.segment_id || '/' || p.period_from) COLLATE "C",
                  g.place) AS n
FROM recalc_part p JOIN recalc_used u USING (line_id, segment_id, period_from)
JOIN recalc_grant g ON (g.customer_id, g.entity_id, g.currency) = (u.customer_id, u.entity_id, u.currency)
LEFT JOIN recalc_matching m ON (m.grant_id, m.line_id, m.segment_id, m.period_from)
                             = (g.grant_id, u.line_id, u.segment_id, u.period_from)
WHERE p.now > greatest(p.before, 0) AND g.starts_on <= p.starts AND g.ends_on >= p.ends
  AND (g.order_id IS NULL OR g.order_id = u.order_id)
  AND (coalesce(g.scope->'skus', '[]') = '[]' OR g.scope->'skus' ? u.sku)
  AND (coalesce(g.scope->'products', '[]') = '[]' OR g.scope->'products' ? u.product)
  AND (coalesce(g.scope->'meters', '[]') = '[]' OR g.scope->'meters' ? u.meter);

CREATE INDEX ON recalc_offer (customer_id, entity_id, currency, n);
ANALYZE recalc_offer;

-- One offer after the other, with what each grant of the account has left.
CREATE TEMPORARY TABLE recalc_drawn ON COMMIT DROP AS
WITH RECURSIVE taken AS (
  SELECT customer_id, entity_id, currency, 0::bigint AS n, NULL::bigint AS part_id, NULL::bigint AS grant_id,
         0::numeric AS wanted, 0::numeric AS amount, array_agg(remaining + coalesce((
           SELECT sum(h.back) FROM recalc_held h WHERE h.grant_id = g.grant_id), 0) ORDER BY place) AS lefts
  FROM recalc_grant g GROUP BY customer_id, entity_id, currency
  UNION ALL
  SELECT o.customer_id, o.entity_id, o.currency, o.n, o.part_id, o.grant_id, w.wanted - k.amount, k.amount,
         f.lefts[:o.place - 1] || (f.lefts[o.place] - k.amount) || f.lefts[o.place + 1:]
  FROM taken f JOIN recalc_offer o ON (o.customer_id, o.entity_id, o.currency, o.n)
                                    = (f.customer_id, f.entity_id, f.currency, f.n + 1)
  CROSS JOIN LATERAL (SELECT CASE WHEN o.part_id = f.part_id THEN f.wanted ELSE o.wanted END AS wanted) w
  CROSS JOIN LATERAL (
    SELECT greatest(least(w.wanted, f.lefts[o.place], CASE WHEN o.limited THEN coalesce(o.part_of_it, 0) - coalesce((
      SELECT sum(h.amount - h.back) FROM recalc_held h WHERE (h.grant_id, h.part_id) = (o.grant_id, o.part_id)), 0)
      END), 0) AS amount
  ) k
)
SELECT part_id, grant_id, amount FROM taken WHERE amount > 0;

-- Both sides, as entries of grants: drawn is below zero, given back above.
CREATE TEMPORARY TABLE recalc_entry ON COMMIT DROP AS
SELECT p.line_id, p.segment_id, p.period_from, p.starts, e.grant_id, e.reverses, e.amount, false AS drafted
FROM (
  SELECT part_id, grant_id, NULL::bigint AS reverses, -amount AS amount FROM recalc_drawn
  UNION ALL
  SELECT part_id, grant_id, id, back FROM recalc_held WHERE back > 0
) e JOIN recalc_part p USING (part_id)
UNION ALL
SELECT v.order_line_id, v.segment_id, (v.proposal->>'period_from')::date, (e.entry->>'part_from')::date,
       (e.entry->>'grant')::bigint, (e.entry->>'reverses')::bigint, (e.entry->>'amount')::numeric, true
FROM recalc_asked a JOIN billing_invoice i ON i.run_id = a.run_id AND i.state = 'draft'
JOIN billing_invoiceline v ON v.invoice_id = i.id AND v.kind = 'drawdown'
JOIN recalc_line l ON l.line_id = v.order_line_id
CROSS JOIN LATERAL jsonb_array_elements(v.proposal->'entries') AS e(entry)
