-- What the prices say, taken apart: bounds, factors, included units and ramp around a model, cells of a
-- matrix, tiers. Each distinct price once, however many segments point at it.

CREATE TEMPORARY TABLE recalc_leaf ON COMMIT DROP AS
WITH RECURSIVE price AS (
  SELECT clause, (array_agg(spec))[1] AS spec
  FROM (SELECT clause, spec FROM recalc_base UNION ALL SELECT clause, spec FROM recalc_agreed WHERE method = 'replace') p
  GROUP BY clause
), opened AS (
  SELECT clause, spec, 0 AS step_no, 0 AS from_month, NULL::int AS until_month, 0 AS cell_no,
         NULL::jsonb AS match, NULL::jsonb AS names, 0::numeric AS included, 0::numeric AS cell_included,
         1::numeric AS factor, NULL::numeric AS minimum, NULL::numeric AS maximum, ''::text AS odd, 0 AS depth
  FROM price
  UNION ALL
  SELECT o.clause, i.spec, i.step_no, i.from_month, i.until_month, i.cell_no, i.match, i.names,
         i.included, i.cell_included, i.factor, i.minimum, i.maximum, i.odd, o.depth + 1
  FROM opened o CROSS JOIN LATERAL (
    SELECT o.spec->'price' AS spec, o.step_no, o.from_month, o.until_month, o.cell_no, o.match, o.names,
           o.included + CASE WHEN o.spec->>'model' = 'overage' AND o.cell_no = 0
                             THEN (o.spec->>'included')::numeric ELSE 0 END AS included,
           o.cell_included + CASE WHEN o.spec->>'model' = 'overage' AND o.cell_no > 0
                                  THEN (o.spec->>'included')::numeric ELSE 0 END AS cell_included,
           o.factor * CASE WHEN o.spec->>'model' = 'multiple' THEN (o.spec->>'factor')::numeric ELSE 1 END
             AS factor,
           greatest(o.minimum, o.factor * CASE WHEN o.spec->>'model' = 'minimum' THEN (o.spec->>'amount')::numeric END)
             AS minimum,
           least(o.maximum, o.factor * CASE WHEN o.spec->>'model' = 'cap' THEN (o.spec->>'amount')::numeric END)
             AS maximum,
           CASE WHEN o.cell_no > 0 AND o.spec->>'model' IN ('minimum', 'cap')
                THEN 'a floor or ceiling inside a cell of a matrix' ELSE o.odd END AS odd
    WHERE o.spec->>'model' IN ('minimum', 'cap', 'overage', 'multiple')
    UNION ALL
    SELECT r.step->'price', r.n::int, (r.step->>'from_month')::int,
           (lead(r.step->>'from_month') OVER (ORDER BY r.n))::int, o.cell_no, o.match, o.names, o.included,
           o.cell_included, o.factor, o.minimum, o.maximum, o.odd
    FROM jsonb_array_elements(o.spec->'steps') WITH ORDINALITY AS r(step, n)
    WHERE o.spec->>'model' = 'ramp'
    UNION ALL
    SELECT c.cell->'price', o.step_no, o.from_month, o.until_month, c.n::int, c.cell->'match',
           o.spec->'dimensions', o.included, o.cell_included, o.factor, o.minimum, o.maximum, o.odd
    FROM jsonb_array_elements(o.spec->'cells') WITH ORDINALITY AS c(cell, n)
    WHERE o.spec->>'model' = 'matrix'
    UNION ALL
    SELECT o.spec->'default', o.step_no, o.from_month, o.until_month, 1000000, NULL, o.spec->'dimensions',
           o.included, o.cell_included, o.factor, o.minimum, o.maximum, o.odd
    WHERE o.spec->>'model' = 'matrix' AND o.spec ? 'default'
  ) i
  WHERE o.depth < 8
)
SELECT clause, step_no, from_month, until_month, cell_no, match, names, included, cell_included, factor,
       minimum, maximum, spec->>'model' AS model, spec,
       coalesce((spec->>'over_term')::boolean, false) AND cell_no = 0 AS over_term,
       coalesce((spec->>'prorated')::boolean, false) AS prorated,
       spec->>'model' = 'percentage' AND (spec ? 'floor' OR spec ? 'ceiling') AS by_transaction,
       CASE WHEN spec->>'model' IN ('flat', 'one_time', 'per_unit', 'graduated', 'volume', 'package',
                                    'percentage', 'prepaid')
            THEN odd ELSE 'the price model ' || coalesce(spec->>'model', '(none)') END AS odd
FROM opened
WHERE spec->>'model' IS NULL OR spec->>'model' NOT IN ('minimum', 'cap', 'overage', 'multiple', 'ramp', 'matrix');

CREATE TEMPORARY TABLE recalc_tier ON COMMIT DROP AS
SELECT f.clause, f.step_no, f.cell_no, t.n::int AS tier_no,
       coalesce(lag((t.tier->>'up_to')::numeric) OVER (PARTITION BY f.clause, f.step_no, f.cell_no ORDER BY t.n),
                0) AS low,
       (t.tier->>'up_to')::numeric AS high, (t.tier->>'unit_amount')::numeric AS unit_amount,
       coalesce((t.tier->>'flat_amount')::numeric, 0) AS flat_amount
FROM recalc_leaf f CROSS JOIN LATERAL jsonb_array_elements(f.spec->'tiers') WITH ORDINALITY AS t(tier, n)
WHERE f.model IN ('graduated', 'volume');

ANALYZE recalc_leaf;
ANALYZE recalc_tier
