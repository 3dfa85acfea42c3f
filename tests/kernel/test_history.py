"""Every change leaves a history row with its actor, whatever path it took; facts never change."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from o2c.actor import Actor, acting
from o2c.audit.install import declared_triggers, existing_triggers, expected_triggers
from o2c.audit.reconcile import reconcile
from o2c.errors import NoActor
from o2c.ledger.models import ExchangeRate, LegalEntity

pytestmark = pytest.mark.django_db
DAY = dt.date(2026, 8, 1)


def rate(day: int, value: str = "1.1", currency: str = "EUR") -> ExchangeRate:
    return ExchangeRate(
        from_currency=currency, to_currency="USD", valid_on=dt.date(2026, 8, day), rate=value, source="ECB"
    )


def changes(**filters: Any) -> list[tuple[str, str, str, str]]:
    rows = ExchangeRate.history.filter(**filters).order_by("history_id")
    return [(h.history_type, f"{h.rate:.2f}", h.history_actor, h.history_change_reason) for h in rows]


def test_saving_writes_history_with_actor_reason_and_request(actor: Actor) -> None:
    with acting(actor, reason="August rates", request_id="req-1"):
        row = rate(1)
        row.save()
        row.rate = "1.2"
        row.save()

    assert changes() == [
        ("+", "1.10", "tester", "August rates"), ("~", "1.20", "tester", "August rates")
    ]  # fmt: skip
    newest = ExchangeRate.history.latest()
    assert newest.history_user_id == actor.user_id
    assert newest.history_request_id == "req-1"


def test_bulk_writes_update_and_raw_sql_write_history_too(actor: Actor) -> None:
    ExchangeRate.objects.bulk_create([rate(1), rate(2)])
    rows = list(ExchangeRate.objects.order_by("valid_on"))
    for row in rows:
        row.rate = "1.3"
    ExchangeRate.objects.bulk_update(rows, ["rate"])
    ExchangeRate.objects.filter(valid_on=DAY).update(rate="1.4")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_exchangerate SET rate = 1.5 WHERE valid_on = %s", [DAY])

    assert [change[:2] for change in changes(id=rows[0].pk)] == [
        ("+", "1.10"), ("~", "1.30"), ("~", "1.40"), ("~", "1.50")
    ]  # fmt: skip


def test_copy_writes_history_too(actor: Actor) -> None:
    copy_in = "COPY ledger_exchangerate (from_currency, to_currency, valid_on, rate, source) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        copy.write_row(("GBP", "USD", DAY, "1.25", "ECB"))

    assert changes(from_currency="GBP") == [("+", "1.25", "tester", "test")]


def test_a_write_that_changes_nothing_leaves_no_row(actor: Actor) -> None:
    row = rate(1)
    row.save()
    row.save()

    assert len(changes()) == 1


def test_the_inner_actor_writes_inside_and_the_outer_one_after(actor: Actor) -> None:
    with acting(Actor(actor.user_id, "inner", None), reason="inner reason"):
        rate(1).save()
    rate(2).save()

    assert [change[2:] for change in changes()] == [("inner", "inner reason"), ("tester", "test")]


def test_nobody_writes_without_an_actor(db: None) -> None:
    with pytest.raises(DatabaseError, match="No actor, no write"), transaction.atomic():
        rate(1).save()
    with pytest.raises(NoActor):
        from o2c.actor import current_actor

        current_actor()


@pytest.mark.django_db(transaction=True)
def test_an_autocommitted_write_has_no_actor_and_is_refused() -> None:
    with pytest.raises(DatabaseError, match="No actor, no write"):
        rate(1).save()


@pytest.mark.django_db(transaction=True)
def test_the_actor_does_not_outlive_the_transaction() -> None:
    with acting(Actor.installer(), reason="set-up"):
        rate(1).save()
    with pytest.raises(DatabaseError, match="No actor, no write"):
        rate(2).save()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE ledger_historicalexchangerate SET rate = 9",
        "DELETE FROM ledger_historicalexchangerate",
        "TRUNCATE ledger_historicalexchangerate",
        "INSERT INTO ledger_historicalexchangerate SELECT * FROM ledger_historicalexchangerate",
        "ALTER TABLE ledger_historicalexchangerate DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
def test_the_runtime_role_cannot_touch_history(actor: Actor, attack: str) -> None:
    rate(1).save()

    with pytest.raises(DatabaseError, match="permission denied|must be owner"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(attack)
    assert len(changes()) == 1


@pytest.mark.parametrize(
    "attack",
    ["UPDATE ledger_historicalexchangerate SET rate = 9", "DELETE FROM ledger_historicalexchangerate"],
)
def test_even_the_owner_meets_the_append_only_guard(actor: Actor, as_owner: Any, attack: str) -> None:
    rate(1).save()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), as_owner():
        with connection.cursor() as cursor:
            cursor.execute(attack)


def test_keys_and_immutable_columns_keep_their_value(us: LegalEntity) -> None:
    with pytest.raises(DatabaseError, match="keep their first value: code, currency"), transaction.atomic():
        LegalEntity.objects.update(currency="EUR")
    with pytest.raises(DatabaseError, match="key of a row"), transaction.atomic():
        LegalEntity.objects.update(id=us.pk + 1)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM ledger_legalentity WHERE id = %s", [us.pk])


def test_the_database_has_exactly_the_triggers_that_are_declared(db: None) -> None:
    existing = existing_triggers()

    assert set(existing) == expected_triggers()


def test_guards_fire_in_replica_mode_too(db: None) -> None:
    on_truncate = {key for key in existing_triggers() if key[1].endswith("_no_truncate")}

    modes = {mode for key, mode in existing_triggers().items() if key not in on_truncate}

    assert modes == {"A"}


def test_history_folds_to_the_live_tables(actor: Actor, us: LegalEntity) -> None:
    rate(1).save()
    ExchangeRate.objects.update(rate="2")

    assert reconcile("ledger") == []


def test_a_change_behind_the_triggers_back_is_found(actor: Actor, us: LegalEntity, as_owner: Any) -> None:
    rate(1).save()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_exchangerate DISABLE TRIGGER o2c_history_update")
        cursor.execute("UPDATE ledger_exchangerate SET rate = 9")
        cursor.execute("ALTER TABLE ledger_exchangerate ENABLE ALWAYS TRIGGER o2c_history_update")

    found = reconcile("ledger")

    assert [(d.table, d.problem) for d in found] == [("ledger_exchangerate", "differs from its history")]


def test_every_app_config_declares_its_triggers_once(db: None) -> None:
    from django.apps import apps

    for config in apps.get_app_configs():
        names = [(t.table, t.name) for t in declared_triggers(config)]
        assert len(names) == len(set(names)), config.label
