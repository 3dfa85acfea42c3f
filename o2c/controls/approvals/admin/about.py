"""The record that a request is about, as its own page introduces it: what it is worth, whose it is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from o2c.console import Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.controls.approvals import registry
from o2c.controls.approvals.admin.words import table
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.selectors.facts import subject_model


def subject_of(obj: Request) -> tuple[RecordAdmin, Any] | None:
    """Its page and the record; None when there is none any more."""
    page = admin.site._registry.get(subject_model(registry.act(obj.act)))
    if not isinstance(page, RecordAdmin):
        return None
    request = HttpRequest()
    request.user = obj.requested_by  # who asked sees it; whoever decides sees what they decide about
    record = page.get_queryset(request).filter(pk=obj.subject_id).first()
    return (page, record) if record is not None else None


def about(obj: Request) -> Panel:
    """The key facts of the record."""
    found = subject_of(obj)
    if found is None:
        return table("The record", ["What", "Is"], [], empty="It is not there any more.")
    page, record = found
    rows = [(fact.label, fact.shown, fact.note or fmt.DASH) for fact in page.facts(record)]
    return table(f"About {record}", ["What", "Is", "Note"], rows, empty="Its page says the rest.")


def link(obj: Request) -> Fact:
    """The first key fact of a request: its record."""
    found = subject_of(obj)
    return Fact("About", found[1] if found else obj.subject_label)
