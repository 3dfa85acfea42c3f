-- What it costs before discount: a quantity for every leaf of the price, then the model, step by step.

-- Which (part, sign) is rated at all: a part once; over the term, less what was rated before it. A price of
-- single dimension values is rated where there is such usage.
CREATE TEMPORARY TABLE recalc_rated ON COMMIT DROP AS
SELECT p.portion_id, 1 AS sign FROM recalc_portion p
WHERE p.scope = '{}' OR EXISTS (SELECT 1 FROM recalc_whose w WHERE w.portion_id = p.portion_id)
UNION ALL
SELECT p.portion_id, -1 FROM recalc_running p
WHERE EXISTS (SELECT 1 FROM recalc_running q
              WHERE q.segment_id = p.segment_id AND q.line_id = p.line_id AND q.starts_on < p.starts_on);

-- Dimensions that occur, as text in the order of their names: free units go to the first ones first.
CREATE TEMPORARY TABLE recalc_dimensions ON COMMIT DROP AS
SELECT d.id, d.values, ARRAY(SELECT ARRAY[key, value] FROM jsonb_each_text(d.values) ORDER BY key COLLATE "C")
         AS ordering
FROM billing_usagedimensions d WHERE d.id IN (SELECT dimensions_id FROM recalc_counted);

-- What is left by dimensions after the included units.
CREATE TEMPORARY TABLE recalc_charged ON COMMIT DROP AS
SELECT c.portion_id, c.sign, c.dimensions_id, c.events, d.values, p.clause, p.step_no,
       c.quantity - CASE WHEN f.included = 0 THEN 0
         ELSE least(greatest(c.quantity, 0), greatest(f.included - coalesce(
           sum(greatest(c.quantity, 0)) OVER (PARTITION BY c.portion_id, c.sign
             ORDER BY d.ordering COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0), 0)) END
         AS quantity
FROM recalc_counted c JOIN recalc_dimensions d ON d.id = c.dimensions_id
JOIN recalc_portion p USING (portion_id)
JOIN (SELECT DISTINCT clause, step_no, included FROM recalc_leaf) f
  ON f.clause = p.clause AND f.step_no = p.step_no;

-- A price that fits by how many of its values match: the cell with most matching values wins.
CREATE TEMPORARY TABLE recalc_input ON COMMIT DROP AS
SELECT r.portion_id, r.sign, f.cell_no, '{}'::jsonb AS picked,
       CASE WHEN s.kind = 'usage' THEN coalesce(u.quantity, 0)
            ELSE s.quantity - least(f.included, s.quantity) END AS quantity,
       CASE WHEN s.kind = 'usage' THEN coalesce(u.events, 0) ELSE 0 END AS events, ''::text AS odd
FROM recalc_rated r JOIN recalc_portion p USING (portion_id) JOIN recalc_slot s ON s.slot_id = p.slot_id
JOIN recalc_leaf f ON f.clause = p.clause AND f.step_no = p.step_no AND f.cell_no = 0
LEFT JOIN (
  SELECT portion_id, sign, sum(quantity) AS quantity, sum(events) AS events FROM recalc_charged GROUP BY portion_id, sign
) u ON (u.portion_id, u.sign) = (r.portion_id, r.sign)
UNION ALL
SELECT g.portion_id, g.sign, coalesce(b.cell_no, -1), g.picked,
       greatest(g.quantity - coalesce(b.cell_included, 0), least(g.quantity, 0)), g.events,
       CASE WHEN b.cell_no IS NULL THEN 'no cell of the matrix for ' || g.picked::text
            WHEN b.equal > 1 THEN 'several cells of the matrix for ' || g.picked::text ELSE '' END
FROM (
  SELECT c.portion_id, c.sign, c.clause, c.step_no, k.picked, sum(c.quantity) AS quantity, sum(c.events) AS events
  FROM recalc_charged c
  JOIN (SELECT DISTINCT clause, step_no, names FROM recalc_leaf WHERE cell_no > 0) n
    ON n.clause = c.clause AND n.step_no = c.step_no
  CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(name, coalesce(c.values->>name, '')) AS picked
    FROM jsonb_array_elements_text(n.names) AS name
  ) k
  GROUP BY c.portion_id, c.sign, c.clause, c.step_no, k.picked
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

-- Overrides and coupons that multiply, as one factor for each step: that of the whole, or of its values.
CREATE TEMPORARY TABLE recalc_factor ON COMMIT DROP AS
WITH RECURSIVE held AS (
  SELECT i.portion_id, i.picked, row_number() OVER (PARTITION BY i.portion_id, i.picked) AS n,
         CASE a.method WHEN 'multiply' THEN a.value ELSE 1 - a.value * 0.01 END AS factor
  FROM (SELECT DISTINCT portion_id, picked FROM recalc_input) i
  JOIN recalc_portion p USING (portion_id) JOIN recalc_piece w USING (piece_id)
  JOIN recalc_agreed a ON a.line_id = w.line_id AND a.method IN ('multiply', 'percent_off')
   AND a.starts_on <= w.starts_on AND a.ends_on >= w.ends_on AND p.scope || i.picked @> a.scope
), product AS (
  SELECT portion_id, picked, n, factor FROM held WHERE n = 1
  UNION ALL
  SELECT h.portion_id, h.picked, h.n, p.factor * h.factor
  FROM product p JOIN held h ON h.portion_id = p.portion_id AND h.picked = p.picked AND h.n = p.n + 1
)
SELECT DISTINCT ON (portion_id, picked) portion_id, picked, factor FROM product ORDER BY portion_id, picked, n DESC;

ANALYZE recalc_factor;

CREATE TEMPORARY TABLE recalc_step ON COMMIT DROP AS
WITH priced AS (
  SELECT i.*, p.piece_id, w.line_id, w.starts_on, w.ends_on, s.aggregation, f.model,
         f.factor * p.factor * coalesce(x.factor, 1) AS factor, f.spec, f.clause, f.step_no, f.prorated,
         f.by_transaction
  FROM recalc_input i JOIN recalc_portion p USING (portion_id) JOIN recalc_piece w USING (piece_id)
  JOIN recalc_slot s ON s.slot_id = p.slot_id
  JOIN recalc_leaf f ON f.clause = p.clause AND f.step_no = p.step_no AND f.cell_no = i.cell_no
  LEFT JOIN recalc_factor x ON x.portion_id = i.portion_id AND x.picked = i.picked
)
SELECT piece_id, sign, portion_id, cell_no, picked, 0 AS tier_no, 0::numeric AS units, 0::numeric AS unit_amount,
       (spec->>'amount')::numeric * factor AS flat_amount
FROM priced WHERE model IN ('flat', 'one_time', 'prepaid')
UNION ALL
SELECT piece_id, sign, portion_id, cell_no, picked, 0, quantity, (spec->>'unit_amount')::numeric * factor, 0
FROM priced WHERE model = 'per_unit'
UNION ALL
SELECT piece_id, sign, portion_id, p.cell_no, picked, t.tier_no, least(quantity, coalesce(t.high, quantity)) - t.low,
       t.unit_amount * factor, t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
WHERE model = 'graduated' AND (t.tier_no = 1 OR quantity > t.low)
  AND NOT (p.prorated AND p.aggregation = 'weighted'
           AND EXISTS (SELECT 1 FROM recalc_level v JOIN recalc_whose o USING (piece_id, dimensions_id)
                       WHERE o.portion_id = p.portion_id))
UNION ALL
SELECT piece_id, sign, portion_id, p.cell_no, picked, t.tier_no, quantity, t.unit_amount * factor,
       t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
WHERE model = 'volume' AND (t.tier_no = 1 OR quantity > t.low) AND (t.high IS NULL OR quantity <= t.high)
UNION ALL
SELECT piece_id, sign, portion_id, cell_no, picked, 0,
       ceil(round(round(greatest(quantity - coalesce((spec->>'free_units')::numeric, 0), 0), 200)
                  / (spec->>'size')::numeric, 120)),
       (spec->>'amount')::numeric * factor, 0
FROM priced WHERE model = 'package'
UNION ALL
SELECT piece_id, sign, portion_id, cell_no, picked, 0, quantity, (spec->>'percent')::numeric * 0.01 * factor,
       coalesce((spec->>'fixed_amount')::numeric, 0) * events * factor
FROM priced WHERE model = 'percentage' AND NOT by_transaction
UNION ALL
-- A floor or ceiling for each transaction: every event of the part on its own.
SELECT p.piece_id, p.sign, p.portion_id, p.cell_no, p.picked, 0, 0, 0,
       p.factor * sum(greatest(
         least(e.quantity * (p.spec->>'percent')::numeric * 0.01
               + coalesce((p.spec->>'fixed_amount')::numeric, 0), (p.spec->>'ceiling')::numeric),
         (p.spec->>'floor')::numeric))
FROM priced p JOIN recalc_event e ON e.line_id = p.line_id AND e.day >= p.starts_on AND e.day < p.ends_on
JOIN recalc_whose o ON o.piece_id = p.piece_id AND o.dimensions_id = e.dimensions_id AND o.portion_id = p.portion_id
WHERE p.model = 'percentage' AND p.by_transaction AND NOT EXISTS (
  SELECT 1 FROM jsonb_each_text(p.picked) c WHERE coalesce(o.values->>c.key, '') <> c.value)
GROUP BY p.piece_id, p.sign, p.portion_id, p.cell_no, p.picked, p.factor
UNION ALL
-- A level that varies over time: units by time, the flat amounts of every tier that it ever reached.
SELECT p.piece_id, p.sign, p.portion_id, p.cell_no, p.picked, t.tier_no, v.units, t.unit_amount * factor,
       t.flat_amount * factor
FROM priced p JOIN recalc_tier t USING (clause, step_no, cell_no)
JOIN LATERAL (
  SELECT round(round(sum((least(v.level, coalesce(t.high, v.level)) - t.low) * v.lasts)
           FILTER (WHERE t.tier_no = 1 OR v.level > t.low), 200) / min(v.whole), 150) AS units,
         max(v.level) AS highest
  FROM recalc_level v JOIN recalc_whose o USING (piece_id, dimensions_id) WHERE o.portion_id = p.portion_id
) v ON v.units IS NOT NULL AND (t.tier_no = 1 OR v.highest > t.low)
WHERE model = 'graduated' AND p.prorated AND p.aggregation = 'weighted';

ANALYZE recalc_step
