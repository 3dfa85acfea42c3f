"""History folds to the live tables after every way there is to write a row; and every row has its leaf."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from o2c.access.models import Role, RoleDuty
from o2c.actor import Actor, acting
from o2c.audit.layouts import layouts
from o2c.ledger.models import ExchangeRate, LegalEntity
from orders.models import Customer
from tests.factories.access import make_user
from tests.factories.orders import make_customer, orders_team

pytestmark = pytest.mark.django_db
DAY = dt.date(2026, 8, 1)


def rate(day: int, value: str = "1.1") -> ExchangeRate:
    on = DAY.replace(day=day)
    return ExchangeRate(from_currency="EUR", to_currency="USD", valid_on=on, rate=value, source="ECB")


def by_the_orm() -> None:
    row = rate(1)
    row.save()
    row.rate = "1.2"
    row.save(update_fields=["rate"])
    made = ExchangeRate.objects.bulk_create([rate(2), rate(3), rate(4)])
    for each in made:
        each.rate = "1.3"
    ExchangeRate.objects.bulk_update(made, ["rate"])
    ExchangeRate.objects.bulk_create(
        [rate(4, "1.4"), rate(5)], update_conflicts=True, update_fields=["rate"],
        unique_fields=["from_currency", "to_currency", "valid_on"],
    )  # fmt: skip
    ExchangeRate.objects.filter(valid_on__gte=DAY.replace(day=3)).update(rate="1.5")
    ExchangeRate.objects.get_or_create(
        from_currency="GBP", to_currency="USD", valid_on=DAY, defaults={"rate": "1.25", "source": "ECB"}
    )


def by_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_exchangerate SET rate = rate * 2, source = '' WHERE valid_on < '2026-08-04'"
        )
        cursor.execute(
            "INSERT INTO ledger_exchangerate (from_currency, to_currency, valid_on, rate, source)"
            " SELECT 'JPY', 'USD', date '2026-08-01' + n, 0.0067,"
            " E'tab\\t\"quote\" back\\\\slash' FROM generate_series(1, 50) n"
        )
        cursor.execute(
            "MERGE INTO ledger_exchangerate t USING (VALUES ('JPY', date '2026-08-02')) s(c, d)"
            " ON t.from_currency = s.c AND t.valid_on = s.d WHEN MATCHED THEN UPDATE SET rate = 0.007"
        )
        copy = "COPY ledger_exchangerate (from_currency, to_currency, valid_on, rate, source) FROM STDIN"
        with cursor.copy(copy) as rows:
            rows.write_row(("CHF", "USD", DAY, "1.1", "SNB"))


def by_cascade() -> None:
    role = Role.objects.create(code="passing", name="Passing")
    RoleDuty.objects.bulk_create(RoleDuty(role=role, duty=duty) for duty in ("orders.read", "billing.read"))
    role.delete()


def by_the_admin(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = admin.site._registry[LegalEntity]
    monkeypatch.setattr(page, "editable_fields", ["city"])
    monkeypatch.setattr(page, "edit_duty", "ledger.entity.maintain")
    client.force_login(make_user("connie", "controller"))
    entity = LegalEntity.objects.get(code="US")
    address = f"/admin/ledger/legalentity/{entity.pk}/change/"
    client.post(address, {"city": "Denver", "change_reason": "moved"})
    assert LegalEntity.objects.get(pk=entity.pk).city == "Denver"


def test_after_every_way_to_write_history_folds_to_the_tables(
    client: Client, monkeypatch: pytest.MonkeyPatch, as_owner: Any
) -> None:
    customer = make_customer(orders_team())
    with acting(Actor.installer(), reason="torture"):
        by_the_orm()
        by_sql()
        by_cascade()
        Customer.objects.filter(pk=customer.pk).update(name="Globex 2")
    by_the_admin(client, monkeypatch)

    may_be_emptied_no_more(as_owner)
    call_command("audit", "reconcile")
    assert RoleDuty.history.filter(history_type="-").count() == 2
    assert leaves_missing() == []

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_exchangerate DISABLE TRIGGER o2c_history_update")
        cursor.execute("UPDATE ledger_exchangerate SET rate = 9 WHERE from_currency = 'CHF'")
        cursor.execute("ALTER TABLE ledger_exchangerate ENABLE ALWAYS TRIGGER o2c_history_update")
    with pytest.raises(CommandError, match="0 triggers missing or switched off, 1 rows differ"):
        call_command("audit", "reconcile")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_exchangerate DISABLE TRIGGER o2c_history_update")
    with pytest.raises(CommandError, match="1 triggers missing or switched off, 1 rows differ"):
        call_command("audit", "reconcile")


def may_be_emptied_no_more(as_owner: Any) -> None:
    """The tests switch off what keeps a table from being emptied: here it is as in an installation."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname)"
            " FROM pg_trigger WHERE tgname LIKE '%%\\_no\\_truncate'"
        )
        cursor.execute(";".join(statement for (statement,) in cursor.fetchall()))


def leaves_missing() -> list[str]:
    """Sealed tables with a row that has no leaf, or a leaf too many."""
    wrong = []
    with connection.cursor() as cursor:
        for layout in layouts():
            cursor.execute(
                f'SELECT (SELECT count(*) FROM "{layout.table}"),'
                " (SELECT count(*) FROM audit_leaf WHERE layout = %s)",
                [layout.id],
            )
            rows, leaves = cursor.fetchone()
            if rows != leaves:
                wrong.append(f"{layout.table}: {rows} rows, {leaves} leaves")
    return wrong


def test_sealed_columns_have_a_text_that_no_session_changes() -> None:
    """Floats, intervals and bytes would depend on settings that the functions do not fix."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT format_type(a.atttypid, NULL) FROM audit_layout l"
            " JOIN pg_attribute a ON a.attrelid = l.table_name::regclass AND a.attname = ANY(l.columns)"
        )
        types = {row[0] for row in cursor.fetchall()}

    assert types <= {
        "bigint", "boolean", "character varying", "date", "integer", "jsonb", "numeric", "smallint", "text",
        "timestamp with time zone", "bigint[]", "text[]", "character varying[]", "daterange", "inet",
    }  # fmt: skip
