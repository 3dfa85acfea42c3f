"""Specimens of partners for the self-test: a channel of its own with breaks and refunds in each state."""

from __future__ import annotations

import datetime as dt
from copy import deepcopy
from decimal import Decimal

from o2c import clock
from o2c.actor import acting
from o2c.controls.selftest.ways import importer, job
from o2c.controls.selftest.world import REASON, Subject, World
from o2c.periods import add_months
from orders.models import Order
from orders.services import orders
from orders.services.inputs import LineInput, OrderInput, TermsInput
from partners.domain.capability import AWS_MARKETPLACE
from partners.domain.feeds import BILLING_EVENT_COLUMNS
from partners.models import AwsAgreement, Break, Channel, MarketplaceRefund
from partners.services import agreements, banks, breaks, channels, feeds, refund_files, refunds

BANK = {"bank_name": "Other bank", "bank_account": "99887766", "bank_routing": "", "swift": "OTHRUS33"}
INVOICE = "9000000001"

_OWN = "takes no name of who acts and runs as the product's own account"
IDLE = {
    "command import_aws_feed": f"{_OWN}; its importer is tried as everybody",
    "command meter_aws": _OWN,
    "command reconcile_aws": _OWN,
    "task partners.metering.hourly": _OWN,
    "task partners.reconciliation.daily": _OWN,
}


def build(world: World) -> None:
    worker = world.person("partner_ops")
    channel = channels.ensure(
        "zt-selftest", "Self-test", entity_id=world.records["entity"].pk, seller_account="0" * 12,
        capability=deepcopy(AWS_MARKETPLACE), actor=worker, reason=REASON,
    )  # fmt: skip
    with acting(worker, reason=REASON):
        breaks.raise_many(channel.pk, [_found(n) for n in range(4)], as_of=clock.now())
    rows = list(Break.objects.filter(channel=channel).order_by("pk"))
    for row in rows[1:]:
        breaks.take(row.pk, actor=worker, reason=REASON)
    for row in rows[2:]:
        breaks.propose(row.pk, breaks.ACCEPT, actor=worker, reason=REASON)
    world.ways += [
        job("partners.metering.now", "partners.metering.freeze"),
        importer(
            "partners.services.feeds.import_file", "partners.feed.import", "", ".csv", feed="account",
            channel=channel, snapshot_at=clock.now(),
        ),
    ]  # fmt: skip
    breaks.resolve(rows[3].pk, actor=world.person("approver"), reason=REASON)
    _bank(world, channel)
    _refunds(world, channel)


def _bank(world: World, channel: Channel) -> None:
    banks.record_credit(
        channel=channel, bank_trace_id="ZT-1", amount=Decimal("5.00"), currency="USD", value_date=world.month,
        payer_account="000111222", actor=world.person("cash_receipts"), reason=REASON,
    )  # fmt: skip
    world.subjects["partners.bank.change"] = Subject(
        channel.pk,
        world.person("partner_ops"),
        world.person("controller"),
        by_hand="UPDATE partners_channel SET bank_name = 'Other bank' WHERE id = %s",
        edit="",
        parameters=BANK,
    )


def _agreement(world: World, channel: Channel) -> AwsAgreement:
    """Of an order of the self-test's customer that is sold through the channel, billed 100,000 by it."""
    clerk, worker = world.person("order_entry"), world.person("partner_ops")
    draft = orders.create_draft(
        OrderInput(
            customer=world.records["customer"].pk, starts_on=world.month, ends_on=add_months(world.month, 12),
            lines=(LineInput("ZT-SEATS", Decimal(10)),), terms=TermsInput(time_zone="UTC", channel="aws"),
        ),
        actor=clerk, reason=REASON,
    )  # fmt: skip
    order: Order = orders.sign(draft.pk, signed_on=world.month, actor=clerk, reason=REASON)
    identity = agreements.IdentityTuple(
        product_code="zt", aws_account_id="000000000001", product_id="prod-zt", agreement_ref="agmt-zt"
    )
    agreement = agreements.open_agreement(
        order.pk, channel=channel, identity=identity, dimensions=[], actor=worker, reason=REASON
    )
    row = dict.fromkeys(BILLING_EVENT_COLUMNS, "") | {
        "billing_event_id": "zt-1", "action": "INVOICED", "transaction_type": "SELLER_REV_SHARE",
        "amount": "100000.00", "currency": "USD", "balance_impacting": "1", "product_id": "prod-zt",
        "invoice_date": f"{clock.today():%Y-%m-%d}T00:00:00Z", "invoice_id": INVOICE,
        "agreement_id": "agmt-zt",
    }  # fmt: skip
    feeds.import_text(
        ",".join(row) + "\n" + ",".join(row.values()) + "\n", name="selftest", feed="billing_event",
        channel=channel, snapshot_at=clock.now(), actor=worker, reason=REASON,
    )  # fmt: skip
    return agreement


def _refunds(world: World, channel: Channel) -> None:
    """Small ones waiting, approved and with AWS; a large one that wants approvals."""
    agreement = _agreement(world, channel)
    worker, approver = world.person("partner_ops"), world.person("approver")

    def drafted(amount: str) -> MarketplaceRefund:
        return refunds.draft(
            agreement.pk, invoice_ref=INVOICE, amount=Decimal(amount), reason_code="OTHER",
            description=REASON, actor=worker, reason=REASON,
        )  # fmt: skip

    drafted("10.00")
    handed = refunds.approve(drafted("20.00").pk, actor=approver, reason=REASON)
    refund_files.submit(handed.pk, actor=worker, reason=REASON)
    refunds.approve(drafted("30.00").pk, actor=approver, reason=REASON)
    refunds.cancel(drafted("40.00").pk, actor=worker, reason=REASON)
    world.signed["partners.marketplacerefund", "approved"] = {
        "approved_by_id": "o2c_actor()",
        "approved_at": "statement_timestamp()",
    }
    world.subjects["partners.refund.approve"] = Subject(
        drafted("5000.00").pk,
        worker,
        approver,
        by_hand="UPDATE partners_marketplacerefund SET state = 'approved', approved_by_id = o2c_actor(),"
        " approved_at = statement_timestamp() WHERE id = %s",
        edit="",
    )


def _found(number: int) -> breaks.Found:
    return breaks.Found(
        type="amount", leg="fee", key=f"selftest-{number}", period="", expected=Decimal(2), actual=Decimal(1),
        value=Decimal(1), currency="USD", owner_role="partner_ops", escalate_after=dt.timedelta(days=1),
    )  # fmt: skip
