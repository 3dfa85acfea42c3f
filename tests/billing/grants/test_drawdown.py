"""Credit from the order to the invoice: drawn, exhausted, corrected, voided, expired, carried over."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from billing.models import Charge, Grant, GrantEntry, Invoice
from billing.services import covering, credit_memos, dimensions, grants, invoices, metering, runs
from o2c.actor import acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import JournalLine
from orders.models import Customer, Order
from orders.services import amendments, catalogue
from orders.services.inputs import PriceInput
from tests.factories.billing import Team, bill
from tests.factories.grants import commit_order, use
from tests.factories.orders import (
    CATALOGUE_FROM,
    applied_amendment,
    line,
    make_customer,
    make_order,
    make_prices,
    orders_team,
)

D = Decimal
SEP, OCT, NOV = dt.date(2026, 9, 1), dt.date(2026, 10, 1), dt.date(2026, 11, 1)


def lines_of(invoice: Invoice) -> list[tuple[str, Decimal]]:
    return [(row.kind, row.net) for row in invoice.lines.order_by("position")]


def entries(grant: Grant) -> list[tuple[str, Decimal]]:
    return list(grant.entries.order_by("pk").values_list("kind", "amount"))


def test_the_invoice_shows_usage_and_what_credit_paid_of_it(team: Team, customer: Customer) -> None:
    """900.00 for credit of 1,000.00; August uses 600.00, September 700.00: 300.00 of it is money."""
    commit_order(team, customer, {})
    use(customer, "600.00", "2026-08-10")

    bill(team, SEP)

    first = Invoice.objects.get()
    assert lines_of(first) == [("prepaid", D("900.00")), ("usage", D("600.00")), ("drawdown", D("-600.00"))]
    grant = Grant.objects.get()
    assert (grant.granted, grant.paid, grant.remaining) == (D("1000.00"), D("900.00"), D("400.00"))
    assert entries(grant) == [("opened", D("1000.00")), ("drawn", D("-600.00"))]
    assert JournalLine.objects.get(account__code="2110").credit == D("900.00")
    assert not JournalLine.objects.filter(account__code="1110").exists()

    use(customer, "700.00", "2026-09-10")
    bill(team, OCT)

    second = Invoice.objects.latest("pk")
    assert lines_of(second) == [("usage", D("700.00")), ("drawdown", D("-400.00"))]
    assert second.net == D("300.00")
    grant.refresh_from_db()
    assert grant.remaining == 0
    assert JournalLine.objects.get(account__code="1110").credit == D("300.00")
    assert bill(team, OCT).totals == {}


def test_several_grants_are_drawn_by_the_rule(team: Team, customer: Customer) -> None:
    """The one with the lower number first; promotional credit only on the day it begins to hold."""
    commit_order(team, customer, {"priority": "20"}, {"priority": "10"})
    use(customer, "1300.00", "2026-08-10")
    bill(team, dt.date(2026, 8, 2))  # opens the grants
    late, early = Grant.objects.order_by("pk")

    bill(team, SEP)

    late.refresh_from_db()
    early.refresh_from_db()
    assert (early.remaining, late.remaining) == (D("0.00"), D("700.00"))


def test_a_correction_restores_the_grants_backwards(team: Team, customer: Customer) -> None:
    commit_order(team, customer, {"priority": "1"}, {"priority": "2"})
    use(customer, "2500.00", "2026-08-10")
    bill(team, SEP)
    assert Invoice.objects.get().net == D("2300.00")  # 1,800.00 sold, 500.00 beyond it

    use(customer, "-800.00", "2026-08-11", seen_on="2026-09-02")
    bill(team, SEP)

    memo = Invoice.objects.latest("pk")
    assert memo.kind == "credit_memo"
    assert lines_of(memo) == [("usage", D("-800.00")), ("drawdown", D("300.00"))]
    first, second = Grant.objects.order_by("priority")
    assert (first.remaining, second.remaining) == (D("0.00"), D("300.00"))
    restored = GrantEntry.objects.get(kind="restored")
    assert restored.reverses == GrantEntry.objects.get(kind="drawn", grant=second)


def test_voiding_gives_credit_back_and_the_next_run_draws_it_again(team: Team, customer: Customer) -> None:
    commit_order(team, customer, {})
    use(customer, "600.00", "2026-08-10")
    bill(team, SEP)
    posted = Invoice.objects.get()

    invoices.void(posted.pk, actor=team.controller, reason="Wrong address")

    grant = Grant.objects.get()
    assert grant.remaining == D("1000.00")
    bill(team, SEP)
    again = Invoice.objects.latest("pk")
    assert sorted(lines_of(again)) == sorted(lines_of(posted))
    grant.refresh_from_db()
    assert grant.remaining == D("400.00")


def test_what_is_left_at_the_end_is_carried_over_once_and_expires(team: Team, customer: Customer) -> None:
    """Half of 400.00 lives on for two months; 150.00 of it is used, 50.00 expires."""
    terms = {"expires_after_months": "1", "rollover_percent": "50", "rollover_months": "2"}
    commit_order(team, customer, terms)
    use(customer, "600.00", "2026-08-10")

    assert grants.expire(SEP, actor=team.ops) == 0  # nothing is open yet
    bill(team, dt.date(2026, 8, 2))
    assert grants.expire(SEP, actor=team.ops) == 0  # August is not billed yet
    bill(team, SEP)
    assert grants.expire(SEP, actor=team.ops) == 1

    old, new = Grant.objects.order_by("pk")
    assert entries(old)[2:] == [("rolled_over", D("-200.00")), ("expired", D("-200.00"))]
    assert (new.origin, new.granted, new.paid) == ("rollover", D("200.00"), D("180.00"))
    assert (new.starts_on, new.ends_on) == (SEP, NOV)
    use(customer, "150.00", "2026-09-10")
    bill(team, NOV)
    assert grants.expire(NOV, actor=team.ops) == 1
    assert entries(new) == [("opened", D("200.00")), ("drawn", D("-150.00")), ("expired", D("-50.00"))]
    assert grants.expire(NOV, actor=team.ops) == 0


def test_a_grant_that_ends_within_a_period_pays_the_days_before(team: Team, customer: Customer) -> None:
    """The period is 15 August to 15 September; the credit is good until the 15th of the month before."""
    start = dt.date(2026, 8, 15)
    commit_order(team, customer, {"expires_after_months": "1"}, starts_on=start, terms={"anchor": "calendar"})
    use(customer, "100.00", "2026-08-20")
    use(customer, "40.00", "2026-09-14")
    use(customer, "30.00", "2026-09-15")

    bill(team, OCT)

    rows = [(row.kind, row.service_from, row.net) for row in Invoice.objects.get().lines.order_by("position")]
    assert rows[1:] == [
        ("usage", start, D("100.00")),
        ("drawdown", start, D("-100.00")),
        ("usage", SEP, D("70.00")),
        ("drawdown", SEP, D("-40.00")),
    ]


def test_promotional_credit_is_given_by_an_approver_for_a_reason(team: Team, customer: Customer) -> None:
    commit_order(team, customer)
    give: dict[str, Any] = {
        "customer_id": customer.pk,
        "amount": D("50.00"),
        "starts_on": dt.date(2026, 8, 1),
    }

    with pytest.raises(NotAuthorised):
        grants.promote(**give, actor=team.ops, reason="Welcome")
    with pytest.raises(InvalidInput, match="Say why"):
        grants.promote(**give, actor=team.approver)
    with pytest.raises(InvalidInput, match="skus"):
        grants.promote(**give, scope={"skus": "TOKENS"}, actor=team.approver, reason="Welcome")
    nothing = grants.promote(**give, scope={"skus": ["OTHER"]}, actor=team.approver, reason="Elsewhere")
    given = grants.promote(**give, scope={"meters": ["tokens"]}, actor=team.approver, reason="Welcome")

    use(customer, "80.00", "2026-08-10")
    bill(team, SEP)

    assert Invoice.objects.get().net == D("30.00")
    given.refresh_from_db()
    assert given.remaining == 0
    with pytest.raises(Conflict, match="Nothing is left"):
        grants.withdraw(given.pk, on=SEP, actor=team.approver, reason="Over")
    assert grants.withdraw(nothing.pk, on=SEP, actor=team.approver, reason="Over").remaining == 0


def test_a_credit_memo_gives_back_money_and_not_credit(team: Team, customer: Customer) -> None:
    """Of 1,300.00 of usage 1,000.00 was paid by credit: 300.00 and its tax can be credited."""
    commit_order(team, customer, {})
    bill(team, dt.date(2026, 8, 2))
    use(customer, "1300.00", "2026-08-10")
    bill(team, SEP)
    invoice = Invoice.objects.latest("pk")
    usage = invoice.lines.get(kind="usage")
    asked: dict[str, Any] = {
        "reason_code": "billing_error",
        "issue_date": SEP,
        "actor": team.ops,
        "reason": "Wrong",
    }

    with pytest.raises(InvalidInput, match="300"):
        credit_memos.draft(invoice.pk, lines={usage.pk: D("300.01")}, **asked)
    memo = credit_memos.draft(invoice.pk, **asked)

    assert (memo.net, memo.total) == (D("-300.00"), -invoice.total)


def test_credit_for_one_model_pays_what_that_model_comes_to(team: Team, customer: Customer) -> None:
    """40.00 of model a and 60.00 of model b: credit for model a pays 40.00 of it."""
    cell = {"model": "per_unit", "unit_amount": "1.00"}
    cells = [{"match": {"model": name}, "price": cell} for name in ("a", "b")]
    make_order(team.orders, customer, [line("SEATS")])  # the catalogue
    catalogue.save_meter(
        "chat", name="Chat", unit="token", event_type="llm.chat", value_property="tokens",
        dimensions=["model"], actor=team.orders,
    )  # fmt: skip
    catalogue.save_sku(
        "CHAT", product="AI", meter="chat", name="Chat", kind="usage", unit="token",
        revenue_treatment="usage", gl_segment="100", actor=team.orders,
    )  # fmt: skip
    matrix = {"model": "matrix", "dimensions": ["model"], "cells": cells}
    make_prices(team.orders, [PriceInput("CHAT", "USD", matrix, CATALOGUE_FROM)])
    make_order(team.orders, customer, [line("CHAT")], state="active")
    grants.promote(
        customer_id=customer.pk, amount=D("500.00"), starts_on=dt.date(2026, 8, 1),
        scope={"dimensions": {"model": ["a"]}}, actor=team.approver, reason="Try model a",
    )  # fmt: skip
    events: list[dict[str, object]] = [
        {"id": name, "customer": customer.number, "meter": "chat", "time": "2026-08-10T12:00:00Z",
         "quantity": amount, "dimensions": {"model": name}}
        for name, amount in (("a", "40"), ("b", "60"))
    ]  # fmt: skip
    dimensions.forget()
    metering.ingest_events(
        "gateway", events, actor=orders_team("usage-team", "billing.usage.ingest"),
        as_of=dt.datetime(2026, 8, 11, tzinfo=dt.UTC),
    )  # fmt: skip

    bill(team, SEP)

    assert lines_of(Invoice.objects.get()) == [("usage", D("100.00")), ("drawdown", D("-40.00"))]


def test_credit_used_meanwhile_stops_the_posting(team: Team, customer: Customer) -> None:
    commit_order(team, customer)
    promotion = grants.promote(
        customer_id=customer.pk, amount=D("50.00"), starts_on=dt.date(2026, 8, 1),
        actor=team.approver, reason="Welcome",
    )  # fmt: skip
    use(customer, "80.00", "2026-08-10")
    run = bill(team, SEP, upto="released")
    grants.withdraw(promotion.pk, on=SEP, actor=team.approver, reason="Given by mistake")

    with pytest.raises(Conflict, match="calculate the run again"):
        runs.post(run.pk, actor=team.ops)

    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE billing_grant SET remaining = remaining + 1",
        "UPDATE billing_grant SET granted = 5000",
        "UPDATE billing_grantentry SET amount = 1",
        "DELETE FROM billing_grantentry",
        "DELETE FROM billing_grant",
        "INSERT INTO billing_grantentry (grant_id, kind, amount, occurred_on)"
        " SELECT id, 'withdrawn', -1000.01, '2026-08-01' FROM billing_grant",
        "INSERT INTO billing_grantentry (grant_id, kind, amount, occurred_on)"
        " SELECT id, 'opened', 10, '2026-08-01' FROM billing_grant",
    ],
)
def test_the_balance_cannot_be_forged(team: Team, customer: Customer, attack: str) -> None:
    commit_order(team, customer, {})
    bill(team, dt.date(2026, 8, 2))

    with pytest.raises(DatabaseError), acting(team.ops), connection.cursor() as cursor:
        cursor.execute(attack)


def test_covering_costs_the_same_statements_for_one_customer_and_for_three(
    team: Team, customer: Customer
) -> None:
    counts = []
    for name in ("Initech", "Hooli", "Umbrella"):
        other = make_customer(team.orders, name, region="NY")
        commit_order(team, other, {}, {"priority": "1"})
        use(other, "1500.00", "2026-08-10")
        run = bill(team, SEP, upto="planned")
        orders = runs._orders(run, [c for chunk in run.chunks.all() for c in chunk.customer_ids])
        with acting(team.ops):
            grants.sync(orders.values())
        due, _ = runs._due(orders, run)
        with CaptureQueriesContext(connection) as captured:
            covered = covering.cover(due)
        counts.append(len(captured))
        assert len(covered) > len(due)
        runs.cancel(run.pk, actor=team.ops, reason="Only counted")
    assert counts == [4, 4, 4]


def test_a_commitment_that_is_raised_keeps_what_was_used_of_it(team: Team, customer: Customer) -> None:
    """900.00 for 1,000.00, 600.00 used; from the first day on 1,700.00 for 2,000.00: 1,400.00 are left."""
    order = commit_order(team, customer, {})
    use(customer, "600.00", "2026-08-10")
    bill(team, SEP)
    commit = order.lines.get(sku__code="COMMIT")
    raised = {"model": "prepaid", "amount": "1700.00", "credit": "2000.00"}
    drafted = amendments.draft(
        order.pk, kind="price", effective_on=dt.date(2026, 8, 1), as_of=SEP, actor=team.orders,
        reason="Raised", changes={"lines": [{"line": commit.pk, "override": raised}]},
    )  # fmt: skip
    applied_amendment(drafted, team.orders, as_of=SEP)

    bill(team, OCT)

    old, new = Grant.objects.order_by("pk")
    assert entries(old)[1:] == [("drawn", D("-600.00")), ("withdrawn", D("-400.00"))]
    assert (new.granted, new.remaining) == (D("1400.00"), D("1400.00"))
    assert Invoice.objects.latest("pk").net == D("800.00")
    with acting(team.ops):
        assert grants.sync(Order.objects.prefetch_related("lines__sku")) == 0
