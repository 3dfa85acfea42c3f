"""A company of the self-test's own, with open months: nothing of it touches the books that are kept."""

from __future__ import annotations

from decimal import Decimal

from o2c.controls.selftest.world import REASON, Subject, World
from o2c.ledger import manual, services
from o2c.periods import Period, add_months

BANK = {"bank_name": "Other bank", "bank_account": "99887766", "bank_routing": "", "swift": "OTHRUS33"}


def build(world: World) -> None:
    controller = world.person("controller")
    entity = services.save_entity(
        "ZT", name="Self-test", legal_name="Self-test", currency="USD", country="US", line1="-", city="-",
        postal_code="-", email="selftest@example.invalid", bank_name="Bank", bank_account="000111222",
        actor=controller, reason=REASON,
    )  # fmt: skip
    months = Period(world.month, add_months(world.month, 6))
    services.open_periods(entity, months, actor=controller, reason=REASON)
    world.records["entity"] = entity
    world.subjects["ledger.entity.change_bank"] = Subject(
        entity.pk,
        controller,
        world.person("approver"),
        by_hand="UPDATE ledger_legalentity SET bank_name = 'Other bank' WHERE id = %s",
        parameters=BANK,
    )
    accountant = world.person("revenue_accounting")
    for amount in ("1200.00", "900.00"):
        journal = manual.draft(
            entity_id=entity.pk, currency="USD", posting_date=add_months(world.month, 2), memo=REASON,
            support=REASON, actor=accountant, reason=REASON,
            lines=[("6100", Decimal(amount), Decimal(0), ""), ("1190", Decimal(0), Decimal(amount), "")],
        )  # fmt: skip
        world.subjects["ledger.journal.post"] = Subject(
            journal.pk,
            accountant,
            world.person("approver"),
            by_hand="UPDATE ledger_manualjournal SET state = 'posted', posted_by_id = o2c_actor()"
            " WHERE id = %s",
            edit="UPDATE ledger_manualjournal SET memo = memo || '.' WHERE id = %s",
        )
