-- What it costs before discount: a quantity for every leaf of the price, then the model, step by step.

-- Which (piece, sign) is rated at all: a piece once; over the term, less what was rated before it.
CREATE TEMPORARY TABLE recalc_rated ON COMMIT DROP AS
SELECT p.slot_id, p.step_no, 1 AS sign FROM recalc_piece p
UNION ALL
SELECT p.slot_id, p.step_no, -1
FROM recalc_piece p JOIN recalc_slot s USING (slot_id)
WHERE s.kind = 'usage'
  AND EXISTS (SELECT 1 FROM recalc_leaf f WHERE f.clause = s.clause AND f.step_no = p.step_no AND f.over_term)
  AND EXISTS (SELECT 1 FROM recalc_piece q
              WHERE q.segment_id = p.segment_id AND q.line_id = p.line_id AND q.starts_on < p.starts_on);

-- Dimensions that occur, as text in the order of their names: free units go to the first ones first.
CREATE TEMPORARY TABLE recalc_dimensions ON COMMIT DROP AS
SELECT d.id, d.values, ARRAY(SELECT ARRAY[key, value] FROM jsonb_each_text(d.values) ORDER BY key COLLATE "C")
         AS ordering
FROM billing_usagedimensions d WHERE d.id IN (SELECT dimensions_id FROM recalc_counted);

-- What is left by dimensions after the included units.
CREATE TEMPORARY TABLE recalc_charged ON COMMIT DROP AS
SELECT c.slot_id, c.step_no, c.sign, c.dimensions_id, c.events, d.values,
       c.quantity - CASE WHEN f.included = 0 THEN 0
         ELSE least(greatest(c.quantity, 0), greatest(f.included - coalesce(
           sum(greatest(c.quantity, 0)) OVER (PARTITION BY c.slot_id, c.step_no, c.sign
             ORDER BY d.ordering COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0), 0)) END
         AS quantity
FROM recalc_counted c JOIN recalc_dimensions d ON d.id = c.dimensions_id
JOIN recalc_slot s USING (slot_id)
JOIN (SELECT DISTINCT clause, step_no, included FROM recalc_leaf) f
  ON f.clause = s.clause AND f.step_no = c.step_no;

-- A price that fits by how many of its values match: the cell with most matching values wins.
CREATE TEMPORARY TABLE recalc_input ON COMMIT DROP AS
SELECT r.slot_id, r.step_no, r.sign, f.cell_no, ''::text AS picked,
       CASE WHEN s.kind = 'usage' THEN coalesce(u.quantity, 0)
            ELSE s.quantity - least(f.included, s.quantity) END AS quantity,
       CASE WHEN s.kind = 'usage' THEN coalesce(u.events, 0) ELSE 0 END AS events, ''::text AS odd
FROM recalc_rated r JOIN recalc_slot s USING (slot_id)
JOIN recalc_leaf f ON f.clause = s.clause AND f.step_no = r.step_no AND f.cell_no = 0
LEFT JOIN (
  SELECT slot_id, step_no, sign, sum(quantity) AS quantity, sum(events) AS events
  FROM recalc_charged GROUP BY slot_id, step_no, sign
) u ON (u.slot_id, u.step_no, u.sign) = (r.slot_id, r.step_no, r.sign)
UNION ALL
SELECT g.slot_id, g.step_no, g.sign, coalesce(b.cell_no, -1), g.picked::text,
       greatest(g.quantity - coalesce(b.cell_included, 0), least(g.quantity, 0)), g.events,
       CASE WHEN b.cell_no IS NULL THEN 'no cell of the matrix for ' || g.picked::text
            WHEN b.equal > 1 THEN 'several cells of the matrix for ' || g.picked::text ELSE '' END
FROM (
  SELECT c.slot_id, c.step_no, c.sign, s.clause, k.picked, sum(c.quantity) AS quantity, sum(c.events) AS events
  FROM recalc_charged c JOIN recalc_slot s USING (slot_id)
  JOIN (SELECT DISTINCT clause, step_no, names FROM recalc_leaf WHERE cell_no > 0) n
    ON n.clause = s.clause AND n.step_no = c.step_no
  CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(name, coalesce(c.values->>name, '')) AS picked
    FROM jsonb_array_elements_text(n.names) AS name
  ) k
  GROUP BY c.slot_id, c.step_no, c.sign, s.clause, k.picked
) g
LEFT JOIN LATERAL (
  SELECT f.cell_no, f.cell_included, z.size, count(*) OVER (PARTITION BY z.size) AS equal
  FROM recalc_leaf f
  CROSS JOIN LATERAL (SELECT CASE WHEN f.match IS NULL THEN -1
                                  ELSE (SELECT count(*) FROM jsonb_object_keys(f.match)) END AS size) z
  WHERE f.clause = g.clause AND f.step_no = g.step_no AND f.cell_no > 0
    AND (f.match IS NULL OR g.picked @> f.match)
  ORDER BY z.size DESC LIMIT 1
) b ON true;

ANALYZE recalc_input;

CREATE TEMPORARY TABLE recalc_step ON COMMIT DROP AS
WITH priced AS (
  SELECT i.*, s.line_id, s.aggregation, f.model, f.factor, f.spec, f.clause, f.prorated, f.by_transaction
  FROM recalc_input i JOIN recalc_slot s USING (slot_id)
  JOIN recalc_leaf f ON f.clause = s.clause AND f.step_no = i.step_no AND f.cell_no = i.cell_no
)
SELECT slot_id, step_no, sign, cell_no, picked, 0 AS tier_no, 0::numeric AS units, 0::numeric AS unit_amount,
       (spec->>'amount')::numeric * factor AS flat_amount
FROM priced WHERE model IN ('flat', 'one_time', 'prepaid')
UNION ALL
SELECT slot_id, step_no, sign, cell_no, picked, 0, quantity, (spec->>'unit_amount')::numeric * factor, 0
FROM priced WHERE model = 'per_unit'
UNION ALL
SELECT slot_id, step_no, sign, p.cell_no, picked, t.tier_no, least(quantity, coalesce(t.high, quantity)) - t.low,
       t.unit_amount * factor, t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
WHERE model = 'graduated' AND (t.tier_no = 1 OR quantity > t.low)
  AND NOT (p.prorated AND p.aggregation = 'weighted'
           AND EXISTS (SELECT 1 FROM recalc_level v WHERE (v.slot_id, v.step_no) = (p.slot_id, p.step_no)))
UNION ALL
SELECT slot_id, step_no, sign, p.cell_no, picked, t.tier_no, quantity, t.unit_amount * factor,
       t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
WHERE model = 'volume' AND (t.tier_no = 1 OR quantity > t.low) AND (t.high IS NULL OR quantity <= t.high)
UNION ALL
SELECT slot_id, step_no, sign, cell_no, picked, 0,
       ceil(round(round(greatest(quantity - coalesce((spec->>'free_units')::numeric, 0), 0), 200)
                  / (spec->>'size')::numeric, 120)),
       (spec->>'amount')::numeric * factor, 0
FROM priced WHERE model = 'package'
UNION ALL
SELECT slot_id, step_no, sign, cell_no, picked, 0, quantity, (spec->>'percent')::numeric * 0.01 * factor,
       coalesce((spec->>'fixed_amount')::numeric, 0) * events * factor
FROM priced WHERE model = 'percentage' AND NOT by_transaction
UNION ALL
-- A floor or ceiling for each transaction: every event of the piece on its own.
SELECT p.slot_id, p.step_no, p.sign, p.cell_no, p.picked, 0, 0, 0,
       factor * sum(greatest(
         least(e.quantity * (spec->>'percent')::numeric * 0.01 + coalesce((spec->>'fixed_amount')::numeric, 0),
               (spec->>'ceiling')::numeric), (spec->>'floor')::numeric))
FROM priced p JOIN recalc_piece w ON (w.slot_id, w.step_no) = (p.slot_id, p.step_no)
JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= w.starts_on AND e.day < w.ends_on
WHERE model = 'percentage' AND by_transaction
GROUP BY p.slot_id, p.step_no, p.sign, p.cell_no, p.picked, factor
UNION ALL
-- A level that varies over time: units by time, the flat amounts of every tier that it ever reached.
SELECT p.slot_id, p.step_no, p.sign, p.cell_no, p.picked, t.tier_no, v.units, t.unit_amount * factor,
       t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
JOIN LATERAL (
  SELECT round(round(sum((least(v.level, coalesce(t.high, v.level)) - t.low) * v.lasts)
           FILTER (WHERE t.tier_no = 1 OR v.level > t.low), 200) / min(v.whole), 150) AS units,
         max(v.level) AS highest
  FROM recalc_level v WHERE (v.slot_id, v.step_no) = (p.slot_id, p.step_no)
) v ON v.units IS NOT NULL AND (t.tier_no = 1 OR v.highest > t.low)
WHERE model = 'graduated' AND p.prorated AND p.aggregation = 'weighted';

ANALYZE recalc_step
