"""Acts: what a person can do to a record from the console, and the one way in which it is done.

An act is a button that opens a dialog, and a service that the dialog's POST calls. Acts of a state machine
are derived
from its declared transitions; an app declares further ones as data (`RecordAdmin.acts`). Nothing else in
the console
writes to a business record, apart from declared editable fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from o2c.actor import acting
from o2c.console.permissions import actor as actor_of
from o2c.console.permissions import holds
from o2c.errors import DomainError, NotAuthorised
from o2c.states import explain, transitions_of

Foresee = Callable[[Any], Sequence[Any]]
ReasonRule = Literal["required", "optional", "none"]
MAX_REASON = 2000


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do with one record.

    name         unique on the record's page; part of the address
    service      dotted path of `service(pk, *, actor, reason="", **fields of the form)`; a record
                 that it returns is opened next
    duty         the duty that the service demands, so that the button can say that it is missing
    form         form class for further fields, or function(obj) -> form class
    unavailable  function(obj, user) -> reasons why not, [] when it can be done now
    description  what will happen, in the dialog: text, or function(obj) -> text
    preview      function(obj, user) -> panels that show the effect, in the dialog
    reason       whether the dialog asks for one
    danger       it can't be undone: the button in the dialog is red
    transition   name of the state transition behind it, '' for an act that changes no state
    primary      may be the page's most prominent button; False for a way back or out
    follow       whether a record that the service returns is opened next (a credit memo that was made)
    shown        function(result) -> [(label, text)] that the dialog shows once, instead of moving on:
                 a secret that can't be read again
    bulk         offered on the change list for many rows at once, with the same form for all of them
    bulk_service dotted path of `service(pks, *, actor, reason="")` that does all rows in one transaction,
    or none
    on_page      whether the record's page has a button for it; False where only lists and queues offer it
    key          the key that opens its dialog on the record's page
    look         what a link to the dialog says while the act is off: its preview is worth reading anyway
    foresee      function(result) -> panels: a second button of the dialog rehearses the act with what was
                 entered, takes it back and shows these
    """

    name: str
    label: str
    service: str
    duty: str = ""
    form: Any = None
    unavailable: Callable[[Any, Any], list[str]] | None = None
    description: str | Callable[[Any], str] = ""
    preview: Callable[[Any, Any], Sequence[Any]] | None = None
    reason: ReasonRule = "optional"
    danger: bool = False
    transition: str = ""
    bulk: bool = False
    bulk_service: str = ""
    icon: str = ""
    done: str = ""
    follow: bool = True
    primary: bool = True
    shown: Callable[[Any], Sequence[tuple[str, str]]] | None = None
    on_page: bool = True
    key: str = ""
    look: str = ""
    foresee: Foresee | None = None

    @property
    def name_of_act(self) -> str:
        """The label once the dialog is open: nothing more comes after it."""
        return self.label.rstrip("…")

    @property
    def bulkable(self) -> bool:
        """Whether many rows can be done at once: not when the dialog's fields depend on the row."""
        return self.bulk and (self.form is None or isinstance(self.form, type))

    def why_not(self, obj: Any, user: Any) -> list[str]:
        """Every reason why this can't be done now; [] when it can."""
        if self.transition:
            reasons = list(explain(obj, self.transition, user))
        else:
            reasons = []
            if self.duty and not holds(user, self.duty):
                reasons.append(f"You don't hold the duty {self.duty}.")
        if self.unavailable is not None:
            reasons += self.unavailable(obj, user)
        return reasons

    def form_class(self, obj: Any) -> type[forms.Form]:
        extra = self.form
        if extra is not None and not isinstance(extra, type):
            extra = extra(obj)
        return _with_reason(extra or forms.Form, self.reason)

    def text(self, obj: Any) -> str:
        return self.description(obj) if callable(self.description) else self.description

    def perform(self, obj: models.Model, request: HttpRequest, fields: Mapping[str, Any]) -> Any:
        """Call the service as the signed-in person. Raises DomainError with what is wrong and what to do."""
        values = dict(fields)
        reason = values.pop("reason", "") or ""
        return call(self.service, (obj.pk,), request, reason, values)


@dataclass(frozen=True, slots=True)
class ListAct:
    """Something to do that begins on the list, not on a record: plan a run, record a receipt, draft an order.

    service: dotted path of `service(*, actor, reason="", **fields)`; when it returns a record of the
    console, its page
    opens next.
    """

    name: str
    label: str
    service: str
    duty: str = ""
    form: type[forms.Form] | None = None
    unavailable: Callable[[Any], list[str]] | None = None
    description: str = ""
    reason: ReasonRule = "optional"
    icon: str = "add"
    done: str = ""
    shown: Callable[[Any], Sequence[tuple[str, str]]] | None = None
    foresee: Foresee | None = None

    @property
    def name_of_act(self) -> str:
        """The label once the dialog is open: nothing more comes after it."""
        return self.label.rstrip("…")

    def why_not(self, user: Any) -> list[str]:
        reasons = [] if not self.duty or holds(user, self.duty) else [f"You don't hold the duty {self.duty}."]
        return reasons + (self.unavailable(user) if self.unavailable else [])

    def form_class(self) -> type[forms.Form]:
        return _with_reason(self.form or forms.Form, self.reason)

    def perform(self, request: HttpRequest, fields: Mapping[str, Any]) -> Any:
        values = dict(fields)
        reason = values.pop("reason", "") or ""
        return call(self.service, (), request, reason, values)


def call(
    service: str, args: tuple[Any, ...], request: HttpRequest, reason: str, values: Mapping[str, Any]
) -> Any:
    """The edge of every act: says who, why and in which request, and lets the service do the rest.

    The outer acting() makes act and service one transaction, with the request's id on every row of history.
    """
    actor = actor_of(request)
    with acting(actor, reason=reason, request_id=request_id_of(request)):
        return resolve(service)(*args, actor=actor, reason=reason, **values)


def request_id_of(request: HttpRequest) -> str:
    """The id that logs, history and error pages share; set by the request middleware."""
    return str(getattr(request, "request_id", "") or request.headers.get("X-Request-ID", ""))


def resolve(path: str) -> Callable[..., Any]:
    """The function behind 'orders.services.orders.submit'."""
    module, _, name = path.rpartition(".")
    function = getattr(import_module(module), name)
    assert callable(function)
    return function  # type: ignore[no-any-return]


def _with_reason(base: type[forms.Form], rule: ReasonRule) -> type[forms.Form]:
    if rule == "none" or "reason" in base.base_fields:
        return base
    field = forms.CharField(
        label="Reason",
        required=rule == "required",
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept with the change for ever; the auditor reads it.",
    )
    return type(f"{base.__name__}WithReason", (base,), {"reason": field})


def from_transitions(model: type[models.Model], options: Mapping[str, Mapping[str, Any]]) -> list[Act]:
    """An act for every declared transition that names a service.

    Without a service a transition belongs to machines.
    """
    acts = []
    for declared in transitions_of(model):
        if not declared.service_path:
            continue
        act = Act(
            name=declared.name,
            label=declared.label or declared.name.replace("_", " ").capitalize(),
            service=declared.service_path,
            duty=declared.duty,
            transition=declared.name,
            bulk=True,
            description=declared.description,
        )
        acts.append(replace(act, **options.get(declared.name, {})))
    return acts


def readable(error: Exception) -> str:
    """What went wrong, for a person: message with its remedy, or the fields that a model refused."""
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    return str(error)


REFUSALS = (DomainError, NotAuthorised, ValidationError)
