"""What the database holds about every table, as installed and not as intended."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models
from simple_history.models import HistoricalChanges

from o2c.access.registry import is_ours
from o2c.audit.declarations import declaration
from o2c.audit.install import existing_triggers, expected_triggers
from o2c.records import AppendOnly, Record
from o2c.states import state_field, transitions_of

# Tables of ours that keep neither history nor are append-only, each with the reason.
PLAIN = {
    "access.TokenUse": "when a token was last used: a note, written once a minute",
    "api.IdempotentCall": "answers kept for a time, then deleted; immutable meanwhile",
    "billing.UsageHour": "a sum over usage events, made again from them at any time",
    "numbering.NumberSeries": "the next number; the documents that took one keep it",
    "outbox.Delivery": "how far a consumer has come; the events themselves are append-only",
    "runtime.BrokerMessage": "the embedded broker's queue; empty when nothing waits",
    "runtime.Heartbeat": "when a process was last alive",
    "runtime.Job": "progress of work; what the work wrote has its own history",
}


def ours() -> list[type[models.Model]]:
    return [
        model
        for config in apps.get_app_configs()
        if is_ours(config)
        for model in config.get_models()
        if model._meta.managed and not model._meta.proxy and not issubclass(model, HistoricalChanges)
    ]


@pytest.mark.django_db
def test_every_declared_trigger_is_installed_and_always_on() -> None:
    existing = existing_triggers()
    missing = expected_triggers() - set(existing)
    assert not missing, sorted(missing)
    stale = set(existing) - expected_triggers()
    assert not stale, sorted(stale)
    # The test database alone is emptied by TRUNCATE: tests/database.py puts those triggers aside.
    off = {key for key, enabled in existing.items() if enabled != "A" and "no_truncate" not in key[1]}
    assert off == set()


def test_every_table_keeps_history_or_is_append_only() -> None:
    bare = {
        model._meta.label
        for model in ours()
        if not issubclass(model, Record | AppendOnly)
        and not getattr(model._meta, "simple_history_manager_attribute", None)
        and not declaration(model).append_only
    }
    assert bare == set(PLAIN), "Inherit Record or AppendOnly, or say here why not"


def test_every_state_is_reached_by_a_declared_transition() -> None:
    """A state that no transition leads to, and in which no row may begin, is a mistake in the declaration."""
    lost = []
    for model in ours():
        field = state_field(model)
        if field is None:
            continue
        reached = {edge.target for edge in transitions_of(model)} | set(declaration(model).initial_states)
        lost += [f"{model._meta.label}: {value}" for value, _ in field.flatchoices if value not in reached]
    assert not lost, lost


def test_every_transition_that_people_do_names_a_service_that_takes_an_actor() -> None:
    import inspect

    wrong = []
    for model in ours():
        for edge in transitions_of(model):
            if not edge.service_path:
                continue
            parameters = inspect.signature(edge.service).parameters
            actor = parameters.get("actor")
            if (
                actor is None
                or actor.kind is not inspect.Parameter.KEYWORD_ONLY
                or "reason" not in parameters
            ):
                wrong.append(f"{model._meta.label}.{edge.name}: {edge.service_path}")
    assert not wrong, wrong


def test_money_columns_are_numeric() -> None:
    floats = [
        f"{model._meta.label}.{field.name}"
        for model in ours()
        for field in model._meta.concrete_fields
        if isinstance(field, models.FloatField)
    ]
    assert not floats, floats
