"""A real contract as a file: run, it bills what was billed; what can't be written is said."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from billing.models import InvoiceLine
from o2c.errors import InvalidInput
from o2c.scenarios import export, language, runner
from o2c.scenarios.cast import Cast
from orders.models import Order
from orders.services import amendments
from orders.services.inputs import LineInput, SegmentInput
from tests.factories.orders import (
    applied_amendment,
    line,
    make_catalogue,
    make_customer,
    make_order,
    orders_team,
)
from tests.factories.revenue import Books, deliver, invoice, make_books, use


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def amend(books: Books, order: Order, kind: str, on: str, changes: dict[str, object]) -> None:
    draft = amendments.draft(
        order.pk,
        kind=kind,
        effective_on=day(on),
        changes=changes,
        as_of=day(on),
        actor=books.team,
        reason="Asked",
    )
    applied_amendment(draft, books.team, as_of=day(on))
    deliver()


@pytest.fixture
def contract(db: None) -> Order:
    """Seats in a ramp, a platform at a discount, tokens; more seats, a lower price, an addition, an end,
    seats that were undone, a pause."""
    books = make_books()
    make_catalogue(books.team)
    customer = make_customer(books.team, name="Globex")
    ramp = LineInput(
        "SEATS",
        segments=(
            SegmentInput(day("2026-08-01"), day("2026-11-01"), Decimal(20)),
            SegmentInput(day("2026-11-01"), day("2027-08-01"), Decimal(30)),
        ),
    )
    order = make_order(
        books.team,
        customer,
        [ramp, line("PLATFORM", discount_percent=Decimal(10)), line("TOKENS", timing="arrears")],
        state="active",
    )
    deliver()
    lines = {row.sku.code: row.pk for row in order.lines.select_related("sku")}
    invoice(books, "2026-08-02")
    use(books, customer, "250000", "2026-08-12")
    use(books, customer, "750000", "2026-08-30")
    amend(books, order, "quantity", "2026-08-16", {"lines": [{"line": lines["SEATS"], "delta": "5"}]})
    invoice(books, "2026-08-17")
    override = {"model": "per_unit", "unit_amount": "30.00"}
    amend(books, order, "price", "2026-09-01", {"lines": [{"line": lines["SEATS"], "override": override}]})
    invoice(books, "2026-09-02")
    amend(books, order, "add_line", "2026-09-10", {"lines": [{"sku": "ONBOARDING", "quantity": "1"}]})
    amend(books, order, "cancel", "2026-09-21", {"mode": "now", "lines": [lines["PLATFORM"]]})
    amend(books, order, "quantity", "2026-09-25", {"lines": [{"line": lines["SEATS"], "delta": "1"}]})
    last = order.amendments.latest("number").number
    amend(books, order, "undo", "2026-09-26", {"amendment": last})
    amend(books, order, "pause", "2026-10-11", {"lines": [lines["SEATS"]], "until": "2026-10-21"})
    invoice(books, "2026-11-02")
    order.refresh_from_db()
    return order


def test_run_again_it_bills_what_was_billed(contract: Order) -> None:
    text = export.text_of(contract)
    scenario = language.parse(text, "export")
    stated = [
        one
        for document in (*(scenario.expect.invoices or ()), *(scenario.expect.credits or ()))
        for one in document.lines or ()
    ]
    billed = InvoiceLine.objects.filter(order_line__order=contract, invoice__state="posted")
    assert sorted(one.net for one in stated if one.net is not None) == sorted(
        billed.values_list("net", flat=True)
    )
    assert len(stated) >= 10
    with runner.rolled_back():
        assert runner.run(scenario, Cast.hire(), "export") == []


def test_changed_it_bills_something_else(contract: Order) -> None:
    text = export.text_of(contract).replace("unit_amount: 30.00", "unit_amount: 29.00")
    with runner.rolled_back():
        problems = runner.run(language.parse(text, "export"), Cast.hire(), "export")
    assert any("expected 750.00, got 725.00" in problem for problem in problems), problems


def test_the_command_writes_it(contract: Order, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("scenario", "export", contract.number)
    assert capsys.readouterr().out.startswith(f"scenario: {contract.number} Globex\n")
    with pytest.raises(CommandError, match="There is no order O-1"):
        call_command("scenario", "export", "O-1")


@pytest.mark.django_db
def test_an_order_that_was_never_active_has_nothing_to_export() -> None:
    team = orders_team()
    make_books()
    make_catalogue(team)
    draft = make_order(team, make_customer(team), [line("SEATS", 5)])
    with pytest.raises(InvalidInput, match="never active"):
        export.text_of(draft)
