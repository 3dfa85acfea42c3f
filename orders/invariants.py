"""What must hold about orders at any time: queries that return no row."""

from o2c.invariants import invariant


@invariant("orders.segments-inside-term", "Every segment of an activated order lies inside the order's term")
def segments_inside_term() -> str:
    return """
        SELECT o.number AS record, s.starts_on, s.ends_on, o.starts_on AS term_from, o.ends_on AS term_to
        FROM orders_segment s
        JOIN orders_orderline l ON l.id = s.line_id JOIN orders_order o ON o.id = l.order_id
        WHERE o.activated_on IS NOT NULL AND (s.ends_on IS NULL OR s.ends_on > s.starts_on)
          AND (s.starts_on < o.starts_on
               OR coalesce(s.ends_on, 'infinity'::date) > coalesce(o.ends_on, 'infinity'::date))
    """


@invariant("orders.no-gap-in-a-line", "The segments of a line follow one another without a gap")
def no_gap_in_a_line() -> str:
    return """
        SELECT o.number AS record, t.position, t.ends_on AS gap_from, t.next_on AS gap_to FROM (
            SELECT l.order_id, l.position, s.ends_on,
                   lead(s.starts_on) OVER (PARTITION BY s.line_id ORDER BY s.starts_on) AS next_on
            FROM orders_segment s JOIN orders_orderline l ON l.id = s.line_id
            WHERE s.ends_on IS NULL OR s.ends_on > s.starts_on
        ) t JOIN orders_order o ON o.id = t.order_id
        WHERE o.activated_on IS NOT NULL AND t.next_on IS NOT NULL AND t.next_on <> t.ends_on
    """


@invariant(
    "orders.active-is-attributed", "Every SKU of an active order has a meter, a treatment and a GL segment"
)
def active_is_attributed() -> str:
    return """
        SELECT DISTINCT o.number AS record, k.code AS sku
        FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id JOIN orders_sku k ON k.id = l.sku_id
        WHERE o.state = 'active' AND (k.revenue_treatment = '' OR k.gl_segment = ''
              OR (k.kind = 'usage' AND k.meter_id IS NULL))
    """


@invariant("orders.segment-price-fits", "A segment's price is one of the line's SKU, in the order's currency")
def segment_price_fits() -> str:
    return """
        SELECT o.number AS record, l.position, p.id AS price
        FROM orders_segment s JOIN orders_price p ON p.id = s.price_id
        JOIN orders_orderline l ON l.id = s.line_id JOIN orders_order o ON o.id = l.order_id
        WHERE o.activated_on IS NOT NULL AND (p.sku_id <> l.sku_id OR p.currency <> o.currency)
    """


@invariant("orders.entitlements-follow-lines", "Granted quantity on any day is the quantity of the line")
def entitlements_follow_lines() -> str:
    """Compared at the days on which either changes; orders with undelivered events are left out."""
    return """
        WITH lines AS (
            SELECT l.id, l.order_id FROM orders_orderline l
            JOIN orders_order o ON o.id = l.order_id JOIN orders_sku k ON k.id = l.sku_id
            WHERE o.activated_on IS NOT NULL AND k.provisioned AND NOT EXISTS (
                SELECT 1 FROM outbox_delivery d WHERE d.consumer = 'orders.entitlements' AND d.state <> 'done'
                AND d.aggregate = 'orders.order:' || o.id)
        ), days AS (
            SELECT s.line_id, s.starts_on AS day FROM orders_segment s
            UNION SELECT s.line_id, s.ends_on FROM orders_segment s WHERE s.ends_on IS NOT NULL
            UNION SELECT e.line_id, e.starts_on FROM orders_entitlement e
            UNION SELECT e.line_id, e.ends_on FROM orders_entitlement e WHERE e.ends_on IS NOT NULL
        ), compared AS (
            SELECT lines.order_id, d.line_id, d.day,
                coalesce((SELECT sum(s.quantity) FROM orders_segment s WHERE s.line_id = d.line_id
                    AND s.starts_on <= d.day AND (s.ends_on IS NULL OR s.ends_on > d.day)), 0) AS of_line,
                coalesce((SELECT sum(e.quantity) FROM orders_entitlement e WHERE e.line_id = d.line_id
                    AND e.action = 'grant' AND e.starts_on <= d.day
                    AND (e.ends_on IS NULL OR e.ends_on > d.day)), 0) AS granted
            FROM days d JOIN lines ON lines.id = d.line_id
        )
        SELECT o.number AS record, c.line_id, c.day, c.of_line, c.granted
        FROM compared c JOIN orders_order o ON o.id = c.order_id WHERE c.of_line <> c.granted
    """


@invariant("orders.quote-approved-by-another", "Nobody approved a quote that they submitted or last edited")
def quote_approved_by_another() -> str:
    return """
        SELECT number AS record, version FROM orders_quote
        WHERE approved_by_id IN (submitted_by_id, last_edited_by_id)
    """


@invariant(
    "orders.credit-was-checked",
    "An order that became active after its customer's credit was first decided has its credit check",
)
def credit_was_checked() -> str:
    return """
        SELECT o.number AS record, c.number AS customer
        FROM orders_order o JOIN orders_customer c ON c.id = o.customer_id
        WHERE o.state = 'active' AND o.channel = 'direct'
          AND EXISTS (SELECT 1 FROM orders_creditlimit l WHERE l.customer_id = c.id AND NOT l.shipped)
          AND NOT EXISTS (SELECT 1 FROM orders_creditcheck k
                          WHERE k.order_id = o.id AND k.amendment_id IS NULL)
    """
