"""Every door by which something is changed asks for a duty that some app declares."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.contrib import admin

from o2c.access import registry
from o2c.console import RecordAdmin
from tests.architecture.asking import asking, known

# Functions that act for somebody and ask for no duty: who may, is known already, or it is their own affair.
ASKED_BEFORE = {
    "billing.services.credit_memos.draft_inside": "accepting a dispute asked",
    "billing.services.posting.post_documents": "posting an invoice, or a run, asked",
    "o2c.controls.approvals.services.carrying.carry_out": "the decision asked; the act asks again",
    "o2c.controls.approvals.services.carrying.complete": "the decision asked",
    "o2c.controls.approvals.services.carrying.execute": "the service of the act asks",
    "o2c.controls.approvals.services.rehearsal.rehearse": "submitting asked; it is taken back",
    "o2c.controls.approvals.services.submitting.renew": "the clock asked; the maker asked first",
    "o2c.controls.breakglass.lending.note_use": "written because a duty was asked for",
    "o2c.runtime.jobs.enqueue": "the service that queues asked; the job's service asks again",
    "orders.provisioning.run.record": "claiming the attempt asked",
    "o2c.access.services.reads.record": "written because something was read",
    "o2c.controls.approvals.services.delegations.accept": "by the delegate alone",
    "o2c.controls.approvals.services.delegations.revoke": "by one of the two alone",
    "o2c.access.services.accounts.ensure_system_accounts": "by the installer, after migrate",
    "o2c.access.services.roles.sync_roles": "by the installer, after migrate",
    "o2c.controls.sod.sync.sync": "by the installer, after migrate",
}
# What only carries an actor and changes nothing.
CARRIES = {
    "o2c.access.authorise.require",
    "o2c.actor.acting",
    "o2c.actor.ambient",
    "o2c.controls.approvals.services.deciding.eligible",
    "o2c.controls.approvals.services.submitting.maker_of",
    "o2c.controls.selftest.attempts.as_actor",
    "orders.services.common.responsible",
}
# Public functions of services that write in nobody's name of their own: parts of a service that asked.
PARTS = {
    "billing.services.drafting.save": "of calculating a run",
    "o2c.access.services.bootstrap.first_administrator": "the one grant that nobody else can give",
    "o2c.access.services.sessions.end_all": "of disabling somebody",
    "o2c.access.services.tokens.note_use": "that a token was used",
    "o2c.controls.approvals.services.rounds.advance": "of deciding",
    "o2c.controls.approvals.services.rounds.carry_over": "of asking again",
    "o2c.controls.approvals.services.rounds.write_round": "of asking",
    "o2c.controls.selftest.services.keep": "of a self-test",
    "orders.services.credit.pass_amendment": "of applying an amendment",
    "orders.services.credit.record": "of activating an order",
    "partners.services.refund_matching.match": "of importing a feed",
    "revenue.services.recognition.begin": "of recognising a period",
    "orders.services.lines.write_lines": "of drafting orders and amendments",
    "orders.services.transfers.open_successor": "of applying an amendment",
    "partners.services.breaks.clear_gone": "of a reconciliation",
    "partners.services.breaks.raise_many": "of a reconciliation",
    "partners.services.releasing.release": "of releasing hours",
    "partners.services.results.store": "of sending hours",
    "revenue.services.recognition_chunk.recognise": "of recognising a period",
}


def test_whatever_is_done_in_somebodys_name_asks_for_a_duty() -> None:
    public = {
        one.label: where in asking()
        for where, one in known().items()
        if one.acts and not one.where[1].startswith("_")
    }
    silent = {label for label, asks in public.items() if not asks} - ASKED_BEFORE.keys() - CARRIES
    assert not silent, f"call require(actor, …), or say who asked: {sorted(silent)}"
    stale = {label for label in ASKED_BEFORE.keys() | CARRIES if public.get(label, True)}
    stale -= {"o2c.access.authorise.require"}
    assert not stale, f"asks by itself now, or is gone: {sorted(stale)}"


def test_a_service_that_writes_says_in_whose_name() -> None:
    parts = {
        one.label
        for one in known().values()
        if one.writes and not one.acts and not one.where[1].startswith("_") and ".services" in one.where[0]
    }
    assert parts == PARTS.keys()


def test_what_is_asked_for_is_declared() -> None:
    asked = [(one.label, duty) for one in known().values() for duty in one.duties if duty is not None]
    assert len(asked) > 150
    assert [pair for pair in asked if pair[1] not in registry.known()] == []


def _records() -> list[RecordAdmin]:
    return [page for page in admin.site._registry.values() if isinstance(page, RecordAdmin)]


def test_a_form_that_changes_a_record_names_its_duty() -> None:
    for page in _records():
        if page.editable_fields or page.addable or page.deletable:
            assert page.edit_duty in registry.known(), page
    others = [page for page in admin.site._registry.values() if not isinstance(page, RecordAdmin)]
    assert [
        page for page in others if page.__class__.__module__.startswith(("o2c", "orders", "billing"))
    ] == []


@pytest.mark.parametrize("page", _records(), ids=lambda page: page.model._meta.label)
def test_a_button_names_its_duty_and_calls_what_asks_for_one(page: RecordAdmin) -> None:
    acts: list[Any] = [*page.all_acts, *page.list_acts]
    for act in acts:
        module, _, name = act.service.rpartition(".")
        function: Any = getattr(import_module(module), name)
        where = (function.__module__, function.__name__)
        if f"{where[0]}.{where[1]}" in ASKED_BEFORE:
            continue
        assert act.duty in registry.known(), f"{act.name} names the duty '{act.duty}'"
        assert where in asking(), f"{act.name}: {act.service} asks for no duty"
