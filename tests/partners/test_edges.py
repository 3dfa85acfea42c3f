"""Pages, API, tasks, handlers: each shows or calls what the services do."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from o2c import outbox
from o2c.access.services.accounts import ensure_system_accounts
from o2c.actor import Actor, ambient
from o2c.console.registry import Kpi, Queue, registry
from o2c.errors import Conflict
from orders.services import amendments
from partners import tasks
from partners.models import AwsAgreement, Break, MeteringRecord
from partners.services import breaks, feeds, metering, reconcile
from tests.factories.access import PASSWORD, make_account, make_token, make_user
from tests.factories.orders import orders_team
from tests.factories.partners import Aws, Shop, fake_aws, hour, use

PAGES = (
    "channel", "awsagreement", "registration", "meteringrecord", "meteringbatch", "break",
    "reconciliationrun",
    "feedfile", "feedexception", "billingevent", "settlementposting",
)  # fmt: skip
FEED = (
    "billing_event_id,from_account_id,to_account_id,end_user_account_id,product_id,action,transaction_type,"
    "parent_billing_event_id,disbursement_billing_event_id,amount,currency,balance_impacting,invoice_date,"
    "payment_due_date,usage_period_start_date,usage_period_end_date,invoice_id,billing_address_id,"
    "transaction_reference_id,bank_trace_id,broker_id\n"
    "B1,,,,,INVOICED,BALANCE_ADJUSTMENT,,,-2.50,USD,,2026-09-02T00:00:00Z,,,,,,,,\n"
    "B2,,,,,INVOICED,BALANCE_ADJUSTMENT,,,wrong,USD,,2026-09-02T00:00:00Z,,,,,,,,\n"
)


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A shop with an example of everything that has a page."""
    use(shop, hour(1, 0), "1500")
    metering.freeze_due(as_of=hour(1, 3), actor=shop.team)
    feeds.import_text(
        FEED,
        name="data.csv",
        feed="billing_event",
        channel=shop.channel,
        snapshot_at=hour(9, 0),
        actor=shop.team,
    )
    reconcile.run(shop.channel, as_of=hour(5, 0, month=9), actor=shop.team)
    return shop


@pytest.fixture
def petra(db: None) -> Client:
    make_user("petra", "partner_ops")
    client = Client()
    assert client.login(username="petra", password=PASSWORD)
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_for_partner_operations(busy: Shop, petra: Client, page: str) -> None:
    listing = petra.get(f"/admin/partners/{page}/")
    assert listing.status_code == 200

    model = next(model for model in admin.site._registry if model._meta.label_lower == f"partners.{page}")
    row = model._default_manager.first()
    if row is not None:
        answer = petra.get(reverse(f"admin:partners_{page}_change", args=[row.pk]))
        assert answer.status_code == 200


@pytest.mark.django_db
def test_a_deal_desk_person_sees_nothing_of_it(busy: Shop, client: Client) -> None:
    make_user("dana", "deal_desk")
    client.login(username="dana", password=PASSWORD)

    assert client.get("/admin/partners/break/").status_code == 403


@pytest.mark.django_db
def test_queues_and_figures_answer(busy: Shop) -> None:
    user = make_user("paul", "partner_ops")
    queues = {q.code: q.rows(user).count() for q in registry.all(Queue) if q.code.startswith("partners.")}
    figures = {k.code: k.value() for k in registry.all(Kpi) if k.code.startswith("partners.")}

    assert queues["partners.metering.unsent"] == 2
    assert queues["partners.feed.exceptions"] == 1
    assert queues["partners.break.open"] == Break.objects.filter(state="open").count() > 0
    assert figures["partners.breaks"].note.endswith("live breaks")
    assert figures["partners.unsettled"].text == "\u22122.50 USD"
    assert figures["partners.unsent"].text == "2"


@pytest.mark.django_db
def test_the_api_reads_agreements_hours_and_breaks(busy: Shop, client: Client) -> None:
    token = make_token(make_account("reader", "marketplace"), ["partners.read"])
    headers = {"Authorization": f"Bearer {token}"}

    def get(path: str) -> Any:
        answer = client.get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    agreement = get(f"aws/agreements/{busy.agreement.number}")
    assert agreement["dimensions"] == [
        {"key": "tokens_1k", "sku": "TOKENS", "per_unit": "1000", "rate": "0.0025"}
    ]
    assert agreement["identities"][0]["agreement_ref"] == "agmt-example0001"
    hours = get("aws/metering?hour_from=2026-08-01T00:00:00Z&limit=2")
    assert [(row["quantity"], row["used"]) for row in hours["data"]] == [(1, "1500"), (0, "0")]
    assert {row["type"] for row in get("partners/breaks")["data"]} >= {"BALANCE_ADJ"}
    assert client.get("/api/v1/aws/agreements").status_code == 401


@pytest.mark.django_db
def test_a_break_is_taken_worked_and_closed_by_another(busy: Shop) -> None:
    row = Break.objects.get(type="BALANCE_ADJ")
    petra, connie = Actor.of(make_user("petra", "partner_ops")), Actor.of(make_user("connie", "controller"))

    assert breaks.take(row.pk, actor=petra).owner_id == petra.user_id
    assert breaks.wait(row.pk, actor=petra, reason="case 4711").state == "waiting"
    breaks.propose(row.pk, breaks.ACCEPT, actor=petra, reason="AWS explained it")
    with pytest.raises(Conflict, match="state proposed|may not close|it is"):
        breaks.take(row.pk, actor=petra)
    done = breaks.resolve(row.pk, actor=connie)

    assert (done.state, done.proposed_by_id, done.closed_by_id) == ("resolved", petra.user_id, connie.user_id)
    reconcile.run(busy.channel, as_of=hour(6, 0, month=9), actor=busy.team)
    assert Break.objects.filter(type="BALANCE_ADJ").count() == 1


@pytest.mark.django_db
def test_what_is_written_off_leaves_the_receivable(busy: Shop) -> None:
    row = Break.objects.get(type="BALANCE_ADJ")
    connie = Actor.of(make_user("connie", "controller"))
    breaks.propose(row.pk, breaks.WRITE_OFF, actor=busy.team, reason="Small")

    breaks.resolve(row.pk, actor=connie, as_of=hour(10, 0, month=9))

    from o2c.ledger.models import JournalLine

    lines = JournalLine.objects.filter(journal__event_key=f"partners.break:{row.pk}")
    assert {(line.account.code, line.debit, line.credit) for line in lines} == {
        ("6110", Decimal("2.50"), Decimal(0)),
        ("1105", Decimal(0), Decimal("2.50")),
    }


@pytest.mark.django_db
def test_a_cancelled_order_is_no_longer_metered(shop: Shop) -> None:
    ensure_system_accounts(actor=Actor.installer())
    day = date(2026, 8, 20)
    draft = amendments.draft(
        shop.order.pk, kind="cancel", effective_on=day, changes={"mode": "now"}, as_of=day, actor=shop.team
    )
    approver = orders_team("second-person")
    amendments.apply(draft.pk, as_of=day, actor=approver, reason="Customer left")
    outbox.drain()

    agreement = AwsAgreement.objects.get(pk=shop.agreement.pk)
    assert agreement.state == "ended"
    assert str(agreement.ended_at)[:10] == str(agreement.order.cancelled_on)


@pytest.mark.django_db(transaction=True)
def test_the_hourly_task_freezes_and_sends(
    live_shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_system_accounts(actor=Actor.installer())
    now = hour(1, 4, 15)
    monkeypatch.setattr(tasks, "clock", SimpleNamespace(now=lambda: now))
    with fake_aws(live_shop) as aws, ambient(live_shop.team):
        settings.AWS_ENDPOINT_URL = aws.server.url
        aws.set_clock(now)
        first, second = tasks.meter(), tasks.meter()

    assert first == {"frozen": 4, "accepted": 4, "held": 0, "lost": 0}
    assert second == {"frozen": 0}
    assert_sent(aws, 4)


def assert_sent(aws: Aws, count: int) -> None:
    assert len(aws.usage) == MeteringRecord.objects.count() == count


@pytest.mark.django_db(transaction=True)
def test_without_a_service_the_hours_wait(
    live_shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "clock", SimpleNamespace(now=lambda: hour(1, 4, 15)))
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"

    with ambient(live_shop.team):
        answer = tasks.meter()

    assert (answer["frozen"], answer["accepted"]) == (4, 0)
    assert MeteringRecord.objects.filter(results__isnull=True).count() == 4
