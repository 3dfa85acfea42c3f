"""The back-test looks at what happened: with a request, or without because nobody needed asking."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command

from billing.models import Invoice
from billing.services import invoices
from o2c import clock
from o2c.actor import acting
from o2c.controls import approvals
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.backtest import Band, backtest
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.selectors.happened import happened
from o2c.controls.approvals.services import policies, submitting
from orders.models import Customer
from tests.approvals.conftest import ACT, draft_memo
from tests.approvals.test_pages import page, signed_in
from tests.factories.billing import person
from tests.factories.orders import make_customer

pytestmark = pytest.mark.django_db

MONTH = dt.timedelta(days=31)


def with_limit(limit: str) -> dict:
    """The credit policy in force, with another amount up to which nobody is asked."""
    content = copy.deepcopy(Policy.objects.get(act=ACT, state="active").content)
    content["bands"]["levels"][0]["up_to"] = limit
    return content


def cases(code: str = ACT, **options):
    return happened(registry.act(code), since=clock.now() - MONTH, **options)


@pytest.fixture
def done(team, invoice):
    """Two credits that nobody was asked about, one that was approved, one that waits, one not asked for."""
    for net in ("400.00", "2000.00"):
        invoices.post(draft_memo(team, invoice, net).pk, actor=team.approver)
    asked = [
        approvals.submit(ACT, draft_memo(team, invoice, net).pk, actor=team.ops, reason="Wrong price")
        for net in ("20000.00", "7000.00")
    ]
    approvals.approve(asked[0].pk, actor=team.approver, reason="Seen")
    draft_memo(team, invoice, "900.00")
    return [*asked, Invoice.objects.get(kind="credit_memo", net=Decimal("-2000.00"))]


def test_a_lower_limit_shows_what_nobody_was_asked_about(team, done):
    found = backtest(rules.parse(with_limit("1000")), cases())
    assert found.looked_at == 4
    [moved] = found.moved
    assert (moved.case.before, moved.after) == ((), ("approver",))
    assert moved.case.label == f"invoice {done[2].number}"
    low, high = found.bands
    assert (low.reach, low.cases, low.moved) == ("up to 1,000", 1, 0)
    assert low.amounts == {"USD": Decimal("433.00")}
    assert (high.cases, high.moved) == (3, 1)
    assert high.reach == "above 1,000 up to 50,000"
    assert high.amounts == {"USD": Decimal("37021.50")}
    assert high.moved_amounts == {"USD": Decimal("2598.00")}, "with tax, and the credit that went before"


def test_a_higher_limit_shows_what_would_not_be_asked_any_more(team, done):
    found = backtest(rules.parse(with_limit("11000")), cases())
    [moved] = found.moved
    assert (moved.case.label, moved.case.before, moved.after) == (str(done[1]), ("approver",), ())


def test_a_request_is_compared_with_what_its_last_round_asked(team, invoice):
    memo = draft_memo(team, invoice, "20000.00")
    request = approvals.submit(ACT, memo.pk, actor=team.ops, reason="Wrong price")
    with acting(team.ops, reason="Corrected"):
        memo.lines.update(net=Decimal("-60000.00"), tax=0)
        type(memo).objects.filter(pk=memo.pk).update(net=-60000, tax=0, total=-60000)
    submitting.renew(request.pk, actor=team.ops, reason="Corrected")
    assert [one.before for one in cases()] == [("approver", "controller")]
    assert not backtest(rules.parse(with_limit("5000")), cases()).moved


def test_an_act_on_values_counts_what_was_changed(team):
    customer = make_customer(team.orders)
    assert cases("orders.customer.change_terms") == [], "entered with the terms that everybody has"
    with acting(team.ops, reason="Longer"):
        Customer.objects.filter(pk=customer.pk).update(payment_terms_days=45)
    with acting(team.ops, reason="Other name"):
        Customer.objects.filter(pk=customer.pk).update(name="Renamed")
    [one] = cases("orders.customer.change_terms")
    assert (one.facts["payment_terms_days"], one.before) == ("45", ())


@pytest.mark.parametrize("code", [act.code for act in registry.acts()])
def test_of_every_act_it_is_known_what_happened(team, code):
    assert isinstance(cases(code), list)


def test_however_much_happened_it_takes_three_queries(team, invoice, done, django_assert_num_queries):
    with django_assert_num_queries(3):
        assert len(cases()) == 4
    assert len(cases(latest=1)) == 2, "the last that was done, and the last request"
    assert happened(registry.act(ACT), since=clock.now() + MONTH) == []


def test_what_a_version_cannot_say_is_said(team, done):
    content = with_limit("1000")
    content["bands"]["path"] = "nothing"
    found = backtest(rules.parse(content), cases())
    assert [type(band) for band in found.bands] == [Band]
    assert (found.bands[0].reach, found.bands[0].moved) == ("cannot be said", 4)
    assert {one.after for one in found.moved} == {None}


def test_the_page_and_the_command_show_it_by_band(team, done, capsys):
    drafted = policies.draft(
        act=ACT, content=with_limit("1000"), actor=person("ada", "admin"), reason="Lower"
    )
    shown = page(signed_in("connie"), drafted)
    for text in ("Back-test", "in functional currency above 1,000 up to", "2,598.00 USD", "37,021.50 USD"):
        assert text in shown, text
    call_command("approvals", "backtest", "--draft", str(drafted.pk))
    said = capsys.readouterr().out
    assert "4 done or asked for, 3 the same, 1 re-routed" in said
    assert "1 re-routed (2,598.00 USD)" in said
    assert "nobody → approver" in said
