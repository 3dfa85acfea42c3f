"""Queries that must return no row: what always holds in partners."""

from o2c.invariants import invariant


@invariant("partners.metering-chain", "Each frozen hour begins with what the hour before carried out.")
def metering_chain() -> str:
    return """
        SELECT r.id, r.dimension_id, r.hour, r.carry_in, r.previous
        FROM (SELECT id, dimension_id, hour, carry_in,
                     lag(carry_out, 1, 0::numeric) OVER w AS previous
              FROM partners_meteringrecord WINDOW w AS (PARTITION BY dimension_id ORDER BY hour)) r
        WHERE r.carry_in <> r.previous
    """


@invariant(
    "partners.metering-no-gap", "Between the first and the last frozen hour of a dimension none is missing."
)
def metering_no_gap() -> str:
    return """
        SELECT dimension_id, min(hour), max(hour), count(*)
        FROM partners_meteringrecord
        GROUP BY dimension_id
        HAVING count(*) <> extract(epoch FROM max(hour) - min(hour)) / 3600 + 1
    """


@invariant("partners.metering-sums", "All usage up to the last frozen hour is sent or carried.")
def metering_sums() -> str:
    return """
        SELECT dimension_id
        FROM (SELECT dimension_id, sum(used + late) AS used, sum(quantity * per_unit) AS sent,
                     (array_agg(carry_out ORDER BY hour DESC))[1] AS carried,
                     (array_agg(total_used ORDER BY hour DESC))[1] AS total
              FROM partners_meteringrecord GROUP BY dimension_id) t
        WHERE used <> sent + carried OR used <> total
    """


@invariant("partners.metering-accepted-has-id", "What AWS accepted carries AWS's record id.")
def accepted_has_id() -> str:
    return """
        SELECT id, record_id FROM partners_meteringresult
        WHERE disposition = 'accepted' AND metering_record_id = ''
    """


@invariant(
    "partners.feed-conserves", "A feed file's rows are accepted, duplicate or parked, and all are there."
)
def feed_conserves() -> str:
    return """
        SELECT f.id, f.name
        FROM partners_feedfile f
        WHERE f.accepted <> (SELECT count(*) FROM partners_feedrow r WHERE r.file_id = f.id)
           OR f.rejected <> (SELECT count(*) FROM partners_feedexception x WHERE x.file_id = f.id)
    """


@invariant("partners.settlement-posted", "Every settlement posting has its journal.")
def settlement_posted() -> str:
    return """
        SELECT p.id, p.billing_event_id
        FROM partners_settlementposting p
        WHERE NOT EXISTS (
          SELECT 1 FROM ledger_journal j
          WHERE j.rule = p.rule AND j.event_key =
              left('aws:' || p.channel_id || ':' || p.sequence || ':' || p.billing_event_id, 80))
    """


@invariant(
    "partners.payment-proof", "A live payment equals the lines that name it, but for AWS's documented penny."
)
def payment_proof() -> str:
    return """
        WITH newest AS (
          SELECT DISTINCT ON (channel_id, billing_event_id) *
          FROM partners_billingevent ORDER BY channel_id, billing_event_id, update_date DESC, id DESC
        ), live AS (SELECT * FROM newest WHERE NOT deleted)
        SELECT d.billing_event_id, d.amount, sum(l.amount)
        FROM live d
        LEFT JOIN live l ON l.channel_id = d.channel_id AND l.disbursement_id = d.billing_event_id
                        AND l.action = 'DISBURSED'
        WHERE d.transaction_type = 'DISBURSEMENT'
          AND NOT EXISTS (SELECT 1 FROM live f WHERE f.channel_id = d.channel_id
                          AND f.parent_id = d.billing_event_id
                          AND f.transaction_type = 'DISBURSEMENT_FAILURE')
        GROUP BY d.billing_event_id, d.amount
        HAVING abs(d.amount + coalesce(sum(l.amount), 0)) > 0.01
    """


@invariant("partners.no-own-dunning", "What AWS collects is never reminded by us.")
def no_own_dunning() -> str:
    return """
        SELECT n.id, i.number
        FROM billing_dunningnotice n
        JOIN billing_invoice i ON i.customer_id = n.customer_id AND i.channel = 'aws'
        WHERE strpos(n.invoices::text, '"' || i.number || '"') > 0
    """


@invariant("partners.break-four-eyes", "A break is closed by somebody other than who proposed it.")
def break_four_eyes() -> str:
    return """
        SELECT id FROM partners_break
        WHERE state = 'resolved' AND (closed_by_id IS NULL OR closed_by_id = proposed_by_id)
    """


@invariant(
    "partners.refund-within-billed", "Refunds asked for are never more than AWS billed of the invoice."
)
def refund_within_billed() -> str:
    return """
        SELECT r.agreement_id, r.invoice_ref, b.billed, b.asked
        FROM (SELECT DISTINCT agreement_id, invoice_ref FROM partners_marketplacerefund
              WHERE state NOT IN ('rejected', 'cancelled')) r
        CROSS JOIN LATERAL partners_refundable(r.agreement_id, r.invoice_ref) b
        WHERE b.asked > b.billed
    """


@invariant("partners.refund-lines", "What the feed gave back when it was matched is what was asked for.")
def refund_lines() -> str:
    return """
        SELECT r.id, r.amount, sum(l.amount)
        FROM partners_marketplacerefund r LEFT JOIN partners_refundline l ON l.refund_id = r.id
        GROUP BY r.id
        HAVING coalesce(sum(l.amount), 0) <> CASE WHEN r.state = 'confirmed' THEN r.amount ELSE 0 END
    """


@invariant(
    "partners.refund-booked-once", "The credit memo of a refund is posted, over its net, for its order."
)
def refund_booked() -> str:
    return """
        SELECT r.id, i.number, r.amount, i.net
        FROM partners_marketplacerefund r JOIN billing_invoice i ON i.id = r.credit_memo_id
        JOIN partners_awsagreement a ON a.id = r.agreement_id
        WHERE i.kind <> 'credit_memo' OR i.state <> 'posted' OR -i.net <> r.amount
           OR i.order_id IS DISTINCT FROM a.order_id OR i.channel = 'direct'
    """


@invariant("partners.refund-in-its-file", "What a file asks AWS for is what its refunds say.")
def refund_in_its_file() -> str:
    return """
        SELECT f.id, r.id
        FROM partners_marketplacerefund r JOIN partners_refundfile f ON f.id = r.file_id
        JOIN documents_document d ON d.id = f.document_id
        JOIN partners_awsagreement a ON a.id = r.agreement_id
        WHERE f.channel_id <> a.channel_id
           OR strpos(convert_from(d.content, 'UTF8'), ',' || r.invoice_ref || ',') = 0
    """
