"""Every control finds what is planted: a row that no guard would have let through, put there by the owner."""

from __future__ import annotations

import datetime as dt

import pytest

from o2c import clock
from o2c.access.models import ReadEvent
from o2c.access.services import accounts
from o2c.actor import acting
from o2c.console.models import ExportEvent
from o2c.controls.breakglass import services as emergencies
from o2c.controls.selftest.world import World
from o2c.controls.sod.services import reviews
from o2c.evidence.pack import reperform
from o2c.evidence.registry import control, controls
from o2c.ledger.models import Journal
from revenue.services import exports
from tests import database
from tests.evidence.planting import change, exceptions, items, tried, unguarded
from tests.evidence.plants import PLANTS, Plant
from tests.evidence.test_approvals_anew import carried_out
from tests.evidence.test_approvals_anew import world as world
from tests.evidence.test_evidence import team as team
from tests.evidence.test_evidence import today
from tests.evidence.test_partners import shop as shop
from tests.factories.billing import Team, person
from tests.factories.partners import Shop

pytestmark = pytest.mark.django_db

DEAL = "006Hs00001PlantQIAX"[:18]


def _where(plant: Plant) -> str:
    if plant.all:
        return plant.where or "true"
    key = "history_id" if "_historical" in plant.table else "id"
    narrowed = f" WHERE {plant.where}" if plant.where else ""
    return f"{key} = (SELECT min({key}) FROM {plant.table}{narrowed})"


def _found(code: str) -> set[tuple[int, str]]:
    return {(pk, str(problem)) for pk, problem in reperform(control(code), *today()).rows}


def test_what_is_planted_is_found(world: World) -> None:
    _everything_happened(world)
    missed, before = [], {code: _found(code) for code in {plant.code for plant in PLANTS}}
    for plant in PLANTS:
        with tried():
            change(plant.table, plant.assignment, _where(plant))
            new = _found(plant.code) - before[plant.code]
            if not [said for _, said in new if plant.says in said]:
                missed.append((plant.code, plant.says, new))
    assert missed == []


def _everything_happened(world: World) -> None:
    """The self-test's company: what waits for an approval carried out; a deal, a file, a list taken."""
    for code, subject in sorted(world.subjects.items()):
        if code != "revenue.treatment.approve":  # its figures moved with the amendments before
            carried_out(world.requests[code], subject)
            database.immediately()
    order = world.records["order"]
    with unguarded("orders_dealintake", "orders_order") as cursor:
        cursor.execute(
            "UPDATE orders_order SET salesforce_opportunity_id = %s, signed_total = 5 WHERE id = %s",
            [DEAL, order.pk],
        )
        cursor.execute(
            "INSERT INTO orders_dealintake (source, external_id, payload, payload_hash, mapper, errors, "
            "order_id, state) SELECT 'salesforce', %s, jsonb_build_object('Id', %s,"
            " 'Total_Contract_Value__c', signed_total::text), 'x', 'test', '[]', id, 'accepted'"
            " FROM orders_order WHERE id = %s",
            [DEAL, DEAL, order.pk],
        )
    clerk = world.person("revenue_accounting")
    exports.build(Journal.objects.filter(gl_export=None).latest("pk").period_id, actor=clerk)
    with acting(clerk, reason="test"):
        ExportEvent.objects.create(
            user_id=clerk.user_id, model="orders.order", title="Orders", rows=3, file_name="orders.xlsx",
            sha256="0" * 64,
        )  # fmt: skip
        for kind, what in (("export", "Orders: orders.xlsx"), ("reveal", "bank details of US")):
            ReadEvent.objects.create(at=clock.now(), kind=kind, what=what, rows=3, reader="r", why="asked")
    database.immediately()


TWO_DAYS = "now() - interval '2 days'"


def insert(table: str, **values: str) -> None:
    """A row, each value as SQL; in every other column that must hold something, nothing much."""
    empty = {"jsonb": "'{}'", "boolean": "false", "text": "''", "character varying": "''"}
    with unguarded(table) as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
            " AND is_nullable = 'NO' AND is_identity = 'NO'"
            " AND (column_default IS NULL OR column_name = 'actor_id')",
            [table],
        )
        for name, kind in cursor.fetchall():
            values.setdefault(name, empty.get(kind, "now()" if "time" in kind else "0"))
        names = ", ".join(f'"{name}"' for name in values)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())}")


def long_ago() -> tuple[dt.date, dt.date]:
    return clock.today() - dt.timedelta(days=400), clock.today() + dt.timedelta(days=1)


def found(code: str) -> set[str]:
    """What a control finds in the last year."""
    return {str(problem) for _, problem in reperform(control(code), *long_ago()).rows}


@pytest.mark.parametrize(
    ("code", "table", "column"),
    [("C-09b", "invariants_invariantrun", "failing"), ("C-17b", "selftest_selftestrun", "through")],
)
def test_a_night_without_a_run_and_a_finding_that_stays(code: str, table: str, column: str) -> None:
    tried_some = {"tried": "9"} if code == "C-17b" else {}
    assert [said for said in found(code) if said.startswith("nothing ran from ")]
    insert(table, recorded_at=TWO_DAYS, **tried_some, **{column: "1"})
    assert "found something, and no later run found it mended" in found(code)
    assert [said for said in found(code) if said.startswith("the next run was 2 days")]
    insert(table, recorded_at="now()", **tried_some)
    assert "found something, and no later run found it mended" not in found(code)


def test_jobs_that_failed_or_wait(team: Team) -> None:
    who = str(team.ops.user_id)
    job = {
        "kind": "'billing.run.post'", "arguments": "'{}'", "key": "'k'", "actor_id": who, "reason": "'x'",
        "phase": "''", "current": "0", "counts": "'{}'", "cursor": "'{}'", "attempts": "1", "worker": "''",
    }  # fmt: skip
    insert("runtime_job", **job, state="'failed'", error="'boom'", finished_at="now()")
    assert exceptions("C-17") == {"billing.run.post failed, and was not done again: boom"}
    insert("runtime_job", **job, state="'succeeded'", error="''", finished_at="now()")
    assert exceptions("C-17") == set()
    insert("runtime_job", **job, state="'queued'", error="''", created_at=TWO_DAYS, due_at=TWO_DAYS)
    assert [said for said in found("C-17") if "waits since" in said]


def test_a_leaver_who_holds_on_to_something(team: Team) -> None:
    leaver = person("lea", "cash_receipts")
    accounts.disable(leaver.user_id, actor=person("ada", "admin"), reason="Left")
    where = ("id = %s AND NOT is_active", leaver.user_id)
    change("access_historicaluser", f"history_date = {TWO_DAYS}", *where)
    assert found("C-15c") == set(), "the grant began after that"
    change("access_rolegrant", "valid_from = now() - interval '3 days'", "user_id = %s", leaver.user_id)
    assert [said for said in found("C-15c") if said.startswith("lea still held cash_receipts a day after")]
    change("access_rolegrant", "valid_to = now() - interval '1 day'", "user_id = %s", leaver.user_id)
    assert found("C-15c") == set()


def test_access_reviews(team: Team) -> None:
    assert [said for said in found("C-15b") if said.startswith("no review was taken from")]
    ada = person("ada", "admin")
    review = reviews.open_campaign("2026 Q4", days=14, actor=ada, reason="quarter")
    assert exceptions("C-15b") == set()
    line = review.items.filter(user_id=team.cash.user_id)[0]
    for table, assignment, where, says in (
        ("sod_campaign", f"deadline = {TWO_DAYS} - interval '7 days'", "true", "not signed a week after"),
        ("sod_campaign", "signed_by_id = opened_by_id", "true", "opened and signed by one person"),
        ("sod_campaign", "state = 'signed'", "true", "was open when it was signed"),
        ("sod_reviewitem", "decided_by_id = user_id", "true", "was decided by whom it is about"),
        ("sod_reviewitem", f"state = 'revoked', decided_at = {TWO_DAYS}", "true", "the grant holds on"),
        ("sod_campaign", "taken_at = now() - interval '101 days'", "true", "the next review was taken"),
    ):
        with tried():
            change(table, assignment, where)
            assert [said for said in found("C-15b") if says in said], says
    with unguarded("sod_reviewitem") as cursor:
        cursor.execute("DELETE FROM sod_reviewitem WHERE id = %s", [line.pk])
    assert exceptions("C-15b") == {f"left out what {line.user.username} held as {line.role}"}


def test_emergency_access(team: Team) -> None:
    clerk = person("bo", "order_entry")
    session = emergencies.request(
        duties=["billing.delivery.retry"], hours=1, ticket="INC-1", actor=clerk, reason="Nobody is there"
    )
    emergencies.authorise(session.pk, actor=person("cy", "controller"), reason="It cannot wait")
    assert (items("C-20"), exceptions("C-20")) == (1, set())
    for assignment, says in (
        ("authorised_by_id = user_id", "opened by whoever used it"),
        ("reviewed_by_id = authorised_by_id", "reviewed by whoever used or opened it"),
        (f"review_due_at = {TWO_DAYS}", "not reviewed by"),
        ("ends_at = opened_at + interval '5 hours'", "lasted longer than four hours"),
        ("finding = 'not_justified'", "was not justified"),
    ):
        with tried():
            change("breakglass_session", assignment)
            assert [said for said in exceptions("C-20") if says in said], says
    use = {"session_id": str(session.pk), "duty": "'billing.run.plan'", "record": "''"}
    insert("breakglass_use", **use, recorded_at="now() + interval '1 day'", txid="1")
    assert exceptions("C-20") == {
        "lent billing.run.plan, which nobody asked for", "was used when it was not open"
    }  # fmt: skip


def test_the_trail() -> None:
    def block(n: int, **values: str) -> None:
        said = {
            "n": str(n), "epoch": "1", "kind": "'seal'", "from_xid": str(n - 1), "upto_xid": str(n),
            "next_xid": str(n), "count": "0", "total": "0", "root": "'r'", "prev": f"'{n - 1}'",
            "hash": f"'{n}'", "sealed_at": TWO_DAYS, "incarnation": "'here'", "note": "''", **values,
        }  # fmt: skip
        insert("audit_block", **said)

    block(1)
    assert found("C-19") == {"was not anchored within 1 hour", "is not what its hash says"}
    block(2, from_xid="7", total="3", count="2")
    assert found("C-19") >= {
        "does not follow the block before it", "does not add up", "counts 2 leaves, and has 0",
    }  # fmt: skip
    insert(
        "audit_anchor", block_id="2", subject="''", body="""'{"hash": "x", "total": 3}'""", signature="''",
        key="''", places="'[]'", recorded_at="now()",
    )  # fmt: skip
    assert [said for said in found("C-19") if "says another block, or is in fewer than two places" in said]


def test_usage_that_does_not_add_up(team: Team) -> None:
    insert("billing_usagesource", code="'s'")
    source = "(SELECT min(id) FROM billing_usagesource)"
    insert(
        "billing_usagebatch", source_id=source, received="5", accepted="3", duplicate="1", recorded_at="now()"
    )
    assert exceptions("C-11") == {
        "received is not accepted, duplicate and parked", "stored 0 events of 3"
    }  # fmt: skip


def test_what_a_channel_paid_and_the_bank_received(shop: Shop) -> None:
    insert(
        "partners_bankcredit", channel_id=str(shop.channel.pk), bank_trace_id="'ACH1'", amount="100",
        currency="'USD'", value_date="current_date - 10", payer_account="'enc:'",
    )  # fmt: skip
    assert exceptions("C-14b") == {"no payment of the channel has its trace"}


def test_no_control_is_without_its_plant() -> None:
    """Whoever adds a control plants an exception; those of approvals are in test_approvals_anew.py."""
    planted = {plant.code for plant in PLANTS} | {
        "C-02c", "C-02d", "C-02e", "C-03", "C-03c", "C-06d", "C-06e", "C-08c", "C-09b", "C-11", "C-12",
        "C-14b", "C-15b", "C-15c", "C-17", "C-17b", "C-19", "C-20",
    }  # fmt: skip
    assert {one.code for one in controls()} == planted
