"""The one exception to 'records change by acts': declared editable fields, saved as the signed-in person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from o2c.actor import acting
from o2c.console.acts import MAX_REASON, REFUSALS, readable, request_id_of
from o2c.console.permissions import actor

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin as Base
else:
    Base = object

REASON = "change_reason"


class EditingMixin(Base):
    """Restricts every form to `editable_fields` and runs its save inside acting()."""

    editable_fields: Sequence[str]
    addable: bool

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """All but the editable ones; on an add form the editable ones are all there is."""
        declared = list(super().get_readonly_fields(request, obj))
        names = [f.name for f in self.model._meta.fields if f.name not in self.editable_fields]
        return [*names, *[n for n in declared if n not in names]]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        return list(self.editable_fields)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A form has the editable fields and the reason; `fieldsets` arranges the object page,
        not the form.
        """
        return [(None, {"fields": [*self.editable_fields, REASON]})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The model form of the editable fields, with a reason beside them."""
        kwargs["fields"] = list(self.editable_fields)
        base = super().get_form(request, obj, change, **kwargs)
        reason = forms.CharField(
            label="Reason",
            required=False,
            max_length=MAX_REASON,
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            help_text="Kept with the change for ever; the auditor reads it.",
        )
        return type(base.__name__, (base,), {REASON: reason})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Save inside acting(), as the signed-in person; a refusal becomes a message on the record's page."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]
        reason = request.POST.get(REASON, "")[:MAX_REASON]
        try:
            with acting(actor(request), reason=reason, request_id=request_id_of(request)):
                return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]
        except REFUSALS as error:
            messages.error(request, readable(error))
        except DatabaseError as error:
            messages.error(request, f"The database refused the change: {str(error).splitlines()[0]}")
        return HttpResponseRedirect(request.get_full_path())

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        messages.success(request, f"{obj} was saved.")
        opts = self.model._meta
        return HttpResponseRedirect(
            reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=(obj.pk,))
        )

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing: the history triggers log, with values and reason; the admin's own log knows neither."""

    log_change = log_deletion = log_addition
