"""Late and corrected usage by the policy of the contract; retractions; early invoices."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.models import Charge, Invoice, UsageHour
from billing.services import findings, retractions, rollups, runs, thresholds
from o2c.access.system import system_actor
from o2c.actor import Actor
from o2c.errors import Conflict, NotFound
from o2c.invariants import services as invariants
from orders.models import Customer
from tests.factories.billing import Team, bill
from tests.factories.grants import commit_order, use
from tests.factories.orders import line, make_order, orders_team

D = Decimal
SEP = dt.date(2026, 9, 1)


def lines_of(invoice: Invoice) -> list[tuple[str, Decimal]]:
    return [(row.kind, row.net) for row in invoice.lines.order_by("position")]


def tokens_order(team: Team, customer: Customer, **terms: object) -> None:
    make_order(team.orders, customer, [line("TOKENS")], state="active", terms=terms)


def test_late_usage_is_on_the_next_invoice(team: Team, customer: Customer) -> None:
    tokens_order(team, customer)
    use(customer, "100.00", "2026-08-10")
    bill(team, SEP)

    use(customer, "7.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)

    assert lines_of(Invoice.objects.latest("pk")) == [("usage", D("7.00"))]


def test_absorbed_late_usage_is_shown_and_not_billed(team: Team, customer: Customer) -> None:
    tokens_order(team, customer, late_usage_policy="absorb")
    use(customer, "100.00", "2026-08-10")
    bill(team, SEP)
    use(customer, "7.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)

    assert lines_of(Invoice.objects.latest("pk")) == [("usage", D("7.00")), ("waiver", D("-7.00"))]
    assert bill(team, SEP).totals == {}

    use(customer, "-10.00", "2026-08-12", seen_on="2026-09-03")
    bill(team, SEP)
    # What was waived goes first: the customer had paid 100.00 and owes 97.00.
    assert lines_of(Invoice.objects.latest("pk")) == [("usage", D("-10.00")), ("waiver", D("7.00"))]


def test_small_late_usage_is_waived_below_an_amount(team: Team, customer: Customer) -> None:
    tokens_order(team, customer, late_waive_below=D("5.00"))
    use(customer, "100.00", "2026-08-10")
    bill(team, SEP)

    use(customer, "4.99", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)
    assert Invoice.objects.latest("pk").net == 0
    use(customer, "5.00", "2026-08-12", seen_on="2026-09-03")
    bill(team, SEP)
    assert Invoice.objects.latest("pk").net == D("5.00")


def test_credit_and_rebill_makes_a_credit_memo_and_a_new_invoice(team: Team, customer: Customer) -> None:
    tokens_order(team, customer, late_usage_policy="rebill")
    use(customer, "100.00", "2026-08-10")
    bill(team, SEP)
    use(customer, "7.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)

    found = Invoice.objects.order_by("pk").values_list("kind", "net")
    assert sorted(found) == [
        ("credit_memo", D("-100.00")),
        ("invoice", D("100.00")),
        ("invoice", D("107.00")),
    ]
    assert sorted(Charge.objects.values_list("revision", "amount")) == [
        (0, D("100.00")),
        (1, D("-100.00")),
        (2, D("107.00")),
    ]
    assert bill(team, SEP).totals == {}


def meter() -> Actor:
    return orders_team("usage-team", "billing.usage.ingest", "billing.usage.retract")


@pytest.fixture
def metering_team(db: None) -> Actor:
    """Before anything is metered: the person of `use` may retract, too."""
    return meter()


def test_a_retracted_event_counts_no_more_and_its_bill_is_credited(
    metering_team: Actor, team: Team, customer: Customer
) -> None:
    commit_order(team, customer, {})
    use(customer, "60.00", "2026-08-10", "a")
    use(customer, "40.00", "2026-08-10", "b")
    bill(team, SEP)

    first = retractions.retract("gateway", [{"id": "r1", "retracts": "a"}], actor=metering_team)
    again = retractions.retract("gateway", [{"id": "r1", "retracts": "a"}], actor=metering_team)

    assert (first.retracted, again.duplicate) == (1, 1)
    assert UsageHour.objects.get().event_count == 1
    assert rollups.verify() == []
    bill(team, SEP)
    assert lines_of(Invoice.objects.latest("pk")) == [("usage", D("-60.00")), ("drawdown", D("60.00"))]
    retractions.retract("gateway", [{"id": "r2", "retracts": "b"}], actor=metering_team)
    assert not UsageHour.objects.exists()
    assert rollups.verify() == []


def test_what_cannot_be_retracted_is_refused_as_what_it_is(
    metering_team: Actor, team: Team, customer: Customer
) -> None:
    tokens_order(team, customer)
    use(customer, "60.00", "2026-08-10", "a")
    use(customer, "40.00", "2026-08-10", "b")
    retractions.retract("gateway", [{"id": "r1", "retracts": "a"}], actor=metering_team)

    with pytest.raises(NotFound, match="No event c"):
        retractions.retract("gateway", [{"id": "r2", "retracts": "c"}], actor=metering_team)
    with pytest.raises(Conflict, match="another event"):
        retractions.retract("gateway", [{"id": "r1", "retracts": "b"}], actor=metering_team)
    with pytest.raises(Conflict, match="taken back by r1"):
        retractions.retract("gateway", [{"id": "r3", "retracts": "a"}], actor=metering_team)


def test_usage_that_reaches_a_threshold_is_billed_early_once(team: Team, customer: Customer) -> None:
    """Thresholds 200.00 and 500.00, as published answer U24, through runs."""
    tokens_order(team, customer, invoice_thresholds=["200.00", "500.00"])
    use(customer, "200.00", "2026-08-06")

    (run,) = thresholds.bill(dt.date(2026, 8, 6), actor=system_actor())
    assert thresholds.bill(dt.date(2026, 8, 6), actor=system_actor()) == []  # it waits for release
    _post(team, run.pk)
    first = Invoice.objects.get()
    assert (run.kind, first.net, first.issue_date) == ("threshold", D("200.00"), dt.date(2026, 8, 6))

    use(customer, "200.00", "2026-08-16")
    assert thresholds.bill(dt.date(2026, 8, 16), actor=system_actor()) == []
    use(customer, "200.00", "2026-08-21")
    (run,) = thresholds.bill(dt.date(2026, 8, 21), actor=system_actor())
    _post(team, run.pk)
    assert Invoice.objects.latest("pk").net == D("400.00")

    use(customer, "31.00", "2026-08-30")
    bill(team, SEP)
    last = Invoice.objects.latest("pk")
    assert lines_of(last) == [("usage", D("-600.00")), ("usage", D("631.00"))]
    assert bill(team, SEP).totals == {}


def _post(team: Team, run_id: int) -> None:
    findings.acknowledge_all(run_id, actor=team.ops, reason="Looked at")
    runs.release(run_id, actor=team.approver)
    runs.post(run_id, actor=team.ops)


def test_a_commitment_is_trued_up_by_the_run(team: Team, customer: Customer) -> None:
    """Known answer C9: 500.00 committed, 300.00 used."""
    clause = {"amount": "500.00", "per": "month", "skus": ["TOKENS"]}
    make_order(team.orders, customer, [line("TOKENS")], state="active", terms={"commitments": [clause]})
    use(customer, "300.00", "2026-08-10")

    bill(team, SEP)

    invoice = Invoice.objects.get()
    assert sorted(lines_of(invoice)) == [("minimum", D("200.00")), ("usage", D("300.00"))]
    formula = invoice.lines.get(kind="minimum").trace["formula"]
    assert formula == "committed 500 - charged 300 = 200, rounded 200.00"
    assert bill(team, SEP).totals == {}
    use(customer, "150.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)
    assert sorted(lines_of(Invoice.objects.latest("pk"))) == [
        ("minimum", D("-150.00")),
        ("usage", D("150.00")),
    ]
    assert [(o.invariant.code, o.sample) for o in invariants.check() if not o.passed] == []
