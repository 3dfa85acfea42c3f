"""Changes by hand behind every guard, and what the control that they are about says of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plant:
    """A change by hand, and what the control says of it."""

    code: str
    table: str
    assignment: str
    says: str
    where: str = ""  # condition on the first row that is changed; '' is any
    all: bool = False


PLANTS = [
    Plant(
        "C-01",
        "orders_historicalorder",
        "history_user_id = (SELECT h.history_user_id FROM"
        " orders_historicalorder h WHERE h.id = orders_historicalorder.id ORDER BY h.history_id LIMIT 1)",
        "entered and activated by",
        "state = 'active'",
        all=True,
    ),
    Plant(
        "C-01",
        "orders_orderline",
        "order_id = (SELECT max(id) FROM orders_order), position = 1000 + id",
        "has no lines",
        all=True,
    ),
    Plant("C-01b", "orders_creditcheck", "added = 1e16", "beyond the limit of", "added > 0"),
    Plant(
        "C-02",
        "orders_quote",
        "approved_by_id = submitted_by_id",
        "approved by whoever submitted it",
        "approved_at IS NOT NULL",
    ),
    Plant(
        "C-02b",
        "orders_priceadjustment",
        "activated_by_id = drafted_by_id",
        "drafted and activated by one person",
        "state = 'active'",
    ),
    Plant(
        "C-03b",
        "orders_historicalcustomer",
        "history_user_id = (SELECT max(l.actor_id) FROM"
        " orders_creditlimit l WHERE l.customer_id = orders_historicalcustomer.id)",
        "decided by whoever keeps the customer",
        all=True,
    ),
    Plant("C-04", "billing_charge", "covers_to = covers_from", "days of service that no charge covers"),
    Plant(
        "C-05", "billing_billrun", "released_by_id = planned_by_id", "who made it", "released_at IS NOT NULL"
    ),
    Plant(
        "C-05",
        "billing_billrunfinding",
        "acknowledged_at = NULL, acknowledged_by_id = NULL,"
        " severity = 'warning', run_id = (SELECT min(id) FROM billing_billrun WHERE released_at IS NOT NULL)",
        "a finding that asks for an answer was left open",
    ),
    Plant("C-05b", "billing_invoice", "net = net + 1", "net is not the sum of its lines", "state = 'posted'"),
    Plant("C-05b", "ledger_journal", "source = 'nothing'", "posted without a journal", all=True),
    Plant(
        "C-06",
        "billing_invoice",
        "posted_by_id = drafted_by_id",
        "posted by whoever drafted it",
        "kind = 'credit_memo' AND state = 'posted'",
    ),
    Plant(
        "C-06",
        "billing_historicalinvoiceline",
        "history_user_id = (SELECT i.posted_by_id FROM billing_invoice i WHERE i.id = invoice_id)",
        "posted by whoever wrote a line",
        all=True,
    ),
    Plant("C-06b", "billing_application", "reason_code = ''", "says no reason", "kind = 'write_off'"),
    Plant(
        "C-06c",
        "billing_historicalrefund",
        "history_user_id = (SELECT f.released_by_id FROM billing_refund f"
        " WHERE f.id = billing_historicalrefund.id)",
        "released by whoever drafted or changed it",
        all=True,
    ),
    Plant(
        "C-06c",
        "billing_historicalreceipt",
        "history_user_id = (SELECT max(f.released_by_id) FROM billing_refund f)",
        "released by whoever recorded the receipt",
        all=True,
    ),
    Plant("C-06c", "ledger_journal", "rule = rule || '.'", "not in the books", all=True),
    Plant(
        "C-07",
        "ledger_manualjournal",
        "posted_by_id = prepared_by_id",
        "prepared and posted by one person",
        "state = 'posted'",
    ),
    Plant(
        "C-07", "ledger_manualjournal", "support = ' '", "names nothing that supports it", "state = 'posted'"
    ),
    Plant(
        "C-07",
        "ledger_manualline",
        "debit = debit + 1",
        "in the books other than as it was approved",
        "debit > 0 AND journal_id IN (SELECT m.id FROM ledger_manualjournal m WHERE m.state = 'posted')",
    ),
    Plant("C-07b", "ledger_journalline", "debit = debit + 1", "does not balance", "debit > 0"),
    Plant("C-08", "revenue_allocation", "price = price + 1", "allocated is not the transaction price"),
    Plant(
        "C-08b",
        "revenue_historicalsspentry",
        "history_user_id = (SELECT x.approved_by_id FROM"
        " revenue_sspentry x WHERE x.id = revenue_historicalsspentry.id)",
        "approved by whoever entered it",
        all=True,
    ),
    Plant(
        "C-09",
        "revenue_tieout",
        "difference = 1, figures_digest = 'other'",
        "differs and nobody explained it",
        all=True,
    ),
    Plant(
        "C-10",
        "revenue_closerun",
        "reviewed_by_id = prepared_by_id",
        "prepared and reviewed by one person",
        "reviewed_at IS NOT NULL",
    ),
    Plant(
        "C-10b",
        "revenue_closerun",
        "reopened_by_id = reopening_asked_by_id",
        "asked for and granted by one person",
        "state = 'reopened'",
    ),
    Plant(
        "C-10c",
        "revenue_historicalcloserun",
        "history_txid = 1",
        "opened again without a reopening of its close",
        all=True,
    ),
    Plant(
        "C-12b",
        "partners_marketplacerefund",
        "amount = 1e6",
        "refunds of its invoice are more than AWS billed",
        "approved_at IS NOT NULL",
    ),
    Plant(
        "C-13",
        "orders_dealintake",
        "order_id = (SELECT max(id) FROM orders_order)",
        "accepted, and no order is of this deal",
    ),
    Plant(
        "C-13",
        "orders_order",
        "signed_total = 1",
        "the order was signed for 1",
        "salesforce_opportunity_id IS NOT NULL",
    ),
    Plant(
        "C-13",
        "orders_dealintake",
        "payload = jsonb_set(payload, '{Id}', '\"other\"')",
        "says another deal than it was taken in as",
    ),
    Plant(
        "C-13b",
        "orders_order",
        "salesforce_opportunity_id = '006000000000000AAA'",
        "the CRM never sent deal 006000000000000AAA",
    ),
    Plant("C-14", "billing_receipt", "amount = amount + 1", "cash in the books is not what came in"),
    Plant("C-15", "access_historicalrolegrant", "history_user_id = user_id", "to themselves"),
    Plant(
        "C-15d",
        "sod_sodexception",
        "decided_by_id = requested_by_id",
        "decided by whom it is for, or who asked for it",
        "state = 'approved'",
    ),
    Plant(
        "C-15d",
        "sod_sodexception",
        "mitigation = ' '",
        "says nothing of what is done meanwhile",
        "state = 'approved'",
    ),
    Plant(
        "C-15d",
        "sod_sodexception",
        "valid_to = valid_from + interval '1 year'",
        "lasts longer than ninety days",
        "state = 'approved'",
    ),
    Plant(
        "C-16",
        "approvals_policy",
        "activated_by_id = drafted_by_id",
        "drafted and put in force by one person",
        "NOT shipped AND state = 'active'",
    ),
    Plant(
        "C-16",
        "approvals_historicalpolicy",
        "history_user_id = (SELECT max(id) FROM access_user)",
        "says that it ships, and",
        "shipped",
    ),
    Plant(
        "C-16",
        "approvals_historicalpolicy",
        "content = '{}'",
        "was changed after it came into force",
        "state = 'retired'",
    ),
    Plant("C-18", "revenue_glexport", "journals = journals + 1", "journals, and holds"),
    Plant(
        "C-18",
        "revenue_glexport",
        "total_debit = total_debit + 1, total_credit = total_credit + 1",
        "its totals are not those of its journals",
    ),
    Plant(
        "C-18",
        "revenue_glexportline",
        "functional_debit = functional_debit + 1",
        "its lines are not its totals",
    ),
    Plant(
        "C-18", "revenue_glexport", "sha256 = repeat('0', 64)", "the stored file is not the one that was sent"
    ),
    Plant("C-18", "access_readevent", "what = 'nothing'", "nobody is on record as having taken it", all=True),
    Plant("C-18b", "access_readevent", "why = ' '", "shown in clear without a reason", "kind = 'reveal'"),
    Plant("C-18c", "access_readevent", "rows = rows + 1", "no reading is on record for", "kind = 'export'"),
    Plant("C-18c", "console_exportevent", "sha256 = ''", "has no hash by which the file is known"),
]
