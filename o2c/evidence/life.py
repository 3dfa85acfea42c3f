"""One record's life: every change of it and its parts, by whom, why, under which approval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from o2c import vault
from o2c.access.models import User
from o2c.controls.approvals.models import Decision, Request
from o2c.errors import NotFound
from o2c.states import state_field

DEPTH = 3
SILENT = {"created_at", "recorded_at", "actor_id"}


@dataclass(frozen=True, slots=True)
class Change:
    """One column of one row: what it was (None when the row is new) and what it became."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.after}"
            if self.before is None
            else f"{self.name}: {self.before} -> {self.after}"
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a record or a part of it."""

    at: dt.datetime
    what: str  # 'billing.Invoice 12'
    kind: str  # created, changed, deleted, recorded, asked, approve, reject …
    who: str
    on_behalf_of: str = ""
    why: str = ""
    request_id: str = ""
    transaction: int | None = None
    approval: str = ""
    changes: Sequence[Change] = field(default=())


def life(label: str, pk: int) -> list[Event]:
    """Every event of one record and its parts, oldest first. Raises NotFound when there never was one."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise NotFound(
            f"There is no model {label!r}", remedy="Write app.Model, e.g. billing.Invoice"
        ) from error
    events = [event for part, pks in parts(model, {pk}) for event in _events(part, pks)]
    if not events:
        raise NotFound(f"{label} {pk} never existed")
    events += _decisions(model, pk)
    return sorted(_approved(events, model, pk), key=lambda event: event.at)


def parts(
    model: type[models.Model], pks: set[int], depth: int = DEPTH
) -> Iterator[tuple[type[models.Model], set[int]]]:
    """The record and what belongs to it: rows of its app that cannot be without it, deleted ones too."""
    yield model, pks
    if not depth or not pks:
        return
    for child, column in children(model):
        source = child.history.model if hasattr(child, "history") else child  # type: ignore[attr-defined]
        key = child._meta.pk.attname  # type: ignore[union-attr]
        found = set(source._default_manager.filter(**{f"{column}__in": pks}).values_list(key, flat=True))
        if found:
            yield from parts(child, found, depth - 1)


@cache
def children(model: type[models.Model]) -> tuple[tuple[type[models.Model], str], ...]:
    """(model, column of the foreign key) of what belongs to a record. Documents of their own (with a number
    and states) are not parts of another.
    """
    found = []
    for relation in model._meta.related_objects:
        child, column = relation.related_model, relation.field
        if not isinstance(child, type) or child is model or child._meta.app_label != model._meta.app_label:
            continue
        fields = {f.name for f in child._meta.concrete_fields}
        document = "number" in fields and state_field(child) is not None
        kept = hasattr(child, "history") or "actor_id" in fields
        if kept and not document and not column.null:
            found.append((child, str(column.attname)))
    return tuple(sorted(found, key=lambda pair: pair[0]._meta.label))


def masked(name: str, value: Any) -> str | None:
    """A value as text; of one that is kept sealed the last characters."""
    if value is None:
        return None
    text = str(value)
    return vault.shown(text) if name in vault.names() or vault.is_sealed(text) else text


def _events(model: type[models.Model], pks: set[int]) -> Iterator[Event]:
    if not hasattr(model, "history"):
        yield from _facts(model, pks)
        return
    key = model._meta.pk.attname  # type: ignore[union-attr]
    rows = model.history.filter(**{f"{key}__in": pks}).order_by(key, "history_id")
    before: Any = None
    people = _people(row.history_on_behalf_of_id for row in rows)
    for row in rows:
        same = before is not None and getattr(before, key) == getattr(row, key)
        yield Event(
            at=row.history_date,
            what=f"{model._meta.label} {getattr(row, key)}",
            kind={"+": "created", "~": "changed", "-": "deleted"}[row.history_type],
            who=row.history_actor,
            on_behalf_of=people.get(row.history_on_behalf_of_id, ""),
            why=row.history_change_reason or "",
            request_id=row.history_request_id or "",
            transaction=row.history_txid,
            changes=() if row.history_type == "-" else tuple(_changes(model, row, before if same else None)),
        )
        before = row


def _changes(model: type[models.Model], row: Any, before: Any | None) -> Iterator[Change]:
    tracked = {f.attname for f in row._meta.concrete_fields}
    for column in model._meta.concrete_fields:
        name = column.attname
        if column.primary_key or name in SILENT or name not in tracked:
            continue
        after = getattr(row, name)
        old = getattr(before, name) if before is not None else None
        if after == old or (before is None and after in (None, "", [], {})):
            continue
        yield Change(name, None if before is None else masked(name, old) or "-", masked(name, after) or "-")


def _facts(model: type[models.Model], pks: set[int]) -> Iterator[Event]:
    rows = list(model._default_manager.filter(pk__in=pks))
    people = _people(getattr(row, "actor_id", None) for row in rows)
    for row in rows:
        at = getattr(row, "recorded_at", None) or getattr(row, "created_at", None)
        if at is None:
            continue
        shown = [f for f in model._meta.concrete_fields if not f.primary_key and f.attname not in SILENT]
        kept = [f for f in shown if not isinstance(f, models.BinaryField)]
        yield Event(
            at=at,
            what=f"{model._meta.label} {row.pk}",
            kind="recorded",
            who=people.get(getattr(row, "actor_id", None), "installer"),
            changes=tuple(
                Change(f.attname, None, masked(f.attname, getattr(row, f.attname)))
                for f in kept
                if getattr(row, f.attname) not in (None, "", [], {})
            ),
        )


def requests_about(model: type[models.Model], pk: int) -> list[Request]:
    """Approval requests about a record, or whose result it is."""
    label = model._meta.label_lower
    about = models.Q(subject_model__iexact=label, subject_id=pk)
    made = models.Q(result_id=pk, committed_txid__isnull=False)
    found = Request.objects.filter(about | made).select_related("requested_by", "policy").order_by("pk")
    found = found.defer("requested_by__password")  # which an auditor's role does not read
    return [r for r in found if r.subject_model.lower() == label and (pk in (r.subject_id, r.result_id))]


def _decisions(model: type[models.Model], pk: int) -> Iterator[Event]:
    requests = {request.pk: request for request in requests_about(model, pk)}
    for request in requests.values():
        policy = f"{request.policy.act} v{request.policy.version}"
        yield Event(
            at=request.submitted_at, what=f"request {request.number}", kind="asked",
            who=str(request.requested_by.get_username()), why=request.reason,
            approval=f"{request.number} ({policy}, {request.state})",
        )  # fmt: skip
    found = Decision.objects.filter(request__in=requests).select_related("decided_by", "delegator")
    found = found.defer("decided_by__password", "delegator__password")
    for decision in found.order_by("pk"):
        yield Event(
            at=decision.recorded_at,
            what=f"request {requests[decision.request_id].number}",
            kind=f"{decision.verdict} {decision.step_code} round {decision.round}",
            who=decision.decided_by.get_username(),
            on_behalf_of=decision.delegator.get_username() if decision.delegator else "",
            why=decision.comment,
            approval=requests[decision.request_id].number,
        )


def _approved(events: Iterable[Event], model: type[models.Model], pk: int) -> Iterator[Event]:
    """The events of a transaction that carried a request out say under which request."""
    carried = {r.committed_txid: r.number for r in requests_about(model, pk) if r.committed_txid}
    for event in events:
        number = carried.get(event.transaction, "") if event.transaction else ""
        yield replace(event, approval=number) if number and not event.approval else event


def _people(ids: Iterable[int | None]) -> dict[int | None, str]:
    wanted = {pk for pk in ids if pk}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "username")) if wanted else {}
