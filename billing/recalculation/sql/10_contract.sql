-- What was signed: lines with their billing clauses, and the stretches of equal segments that name charges.

CREATE TEMPORARY TABLE recalc_line ON COMMIT DROP AS
SELECT l.id AS line_id, o.id AS order_id, o.number AS order_number, l.position, o.currency,
       d.digits, k.kind, k.kind IN ('one_time', 'prepaid') AS once,
       l.timing = 'advance' AND k.kind <> 'usage' AS in_advance,
       coalesce(nullif(l.frequency, ''), o.billing_frequency) AS every,
       -- Where periods are counted from; weeks of the calendar begin on Mondays.
       CASE WHEN o.anchor = 'anniversary' THEN coalesce(o.anchor_on, o.starts_on)
            ELSE make_date(2001, 1, coalesce(extract(day FROM o.anchor_on)::int, 1)) END AS months_from,
       CASE WHEN o.anchor = 'anniversary' THEN coalesce(o.anchor_on, o.starts_on)
            ELSE DATE '2001-01-01' END AS days_from,
       o.counted_day, o.remainder,
       o.proration AS convention, o.time_zone AS zone, coalesce(m.aggregation, 'sum') AS aggregation,
       coalesce(m.filters, '{}') AS filters,
       s.begins, s.ends, o.commitments <> '[]' AS committed
FROM recalc_order a
JOIN orders_order o ON o.id = a.order_id
JOIN recalc_digits d ON d.currency = o.currency
JOIN orders_orderline l ON l.order_id = o.id
JOIN orders_sku k ON k.id = l.sku_id
LEFT JOIN orders_meter m ON m.id = k.meter_id
-- A line that was taken back altogether covers no day, and may have been billed all the same.
LEFT JOIN (
  SELECT g.line_id, min(g.starts_on) AS begins, max(coalesce(g.ends_on, 'infinity'::date)) AS ends
  FROM orders_segment g JOIN orders_orderline n ON n.id = g.line_id
  JOIN recalc_order r ON r.order_id = n.order_id
  WHERE NOT g.paused AND (g.ends_on IS NULL OR g.ends_on > g.starts_on)
  GROUP BY g.line_id
) s ON s.line_id = l.id;

-- Lengths of the periods: so many months or so many days.
CREATE TEMPORARY TABLE recalc_length ON COMMIT DROP AS
SELECT * FROM (VALUES ('day', 0, 1), ('week', 0, 7), ('month', 1, 0), ('quarter', 3, 0), ('half_year', 6, 0),
  ('year', 12, 0)) AS v(every, months, days);

-- Segments that follow each other and say the same are one stretch, named by the first of them. A price is
-- recognised by what it says: "40" and "40.00" are the same number.
CREATE TEMPORARY TABLE recalc_stretch ON COMMIT DROP AS
WITH said AS (
  SELECT s.id, s.line_id, s.starts_on, coalesce(s.ends_on, 'infinity'::date) AS ends_on, s.quantity,
         CASE WHEN l.kind <> 'usage' THEN s.quantity END AS held, s.price_id, s.discount_percent,
         CASE WHEN l.kind = 'recurring' THEN p.period END AS paid_every,
         coalesce(nullif(s.price_override, '{}'), p.spec) AS spec
  FROM recalc_line l JOIN orders_segment s ON s.line_id = l.line_id JOIN orders_price p ON p.id = s.price_id
  WHERE NOT s.paused AND (s.ends_on IS NULL OR s.ends_on > s.starts_on)
), named AS (
  SELECT *, md5(regexp_replace(regexp_replace(spec::text, '(\.[0-9]*?)0+"', '\1"', 'g'), '\."', '"', 'g'))
         AS clause
  FROM said
), marked AS (
  SELECT *, lag(ends_on) OVER w IS DISTINCT FROM starts_on
         OR (lag(held) OVER w, lag(price_id) OVER w, lag(discount_percent) OVER w, lag(clause) OVER w)
            IS DISTINCT FROM (held, price_id, discount_percent, clause) AS opens
  FROM named WINDOW w AS (PARTITION BY line_id ORDER BY starts_on)
), counted AS (
  SELECT *, sum(opens::int) OVER (PARTITION BY line_id ORDER BY starts_on) AS island FROM marked
)
SELECT (array_agg(id ORDER BY starts_on))[1] AS segment_id, line_id, min(starts_on) AS starts_on,
       max(ends_on) AS ends_on, (array_agg(quantity ORDER BY starts_on))[1] AS quantity,
       min(price_id) AS price_id, min(discount_percent) AS discount_percent, min(paid_every) AS paid_every,
       min(clause) AS clause, (array_agg(spec ORDER BY starts_on))[1] AS spec
FROM counted GROUP BY line_id, island;

CREATE INDEX ON recalc_stretch (line_id);
ANALYZE recalc_line;
ANALYZE recalc_stretch
