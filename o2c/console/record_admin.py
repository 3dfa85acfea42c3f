"""RecordAdmin: the admin of every business model.

A record is shown, not edited: its page has header, key facts, money strip, acts, fields, panels and
timeline. What
changes it are acts, each of which is a service (`o2c.console.acts`). Fields that a person may edit
directly are
declared, saved inside acting(), and leave history like everything else.

What an app's admin declares:

    @admin.register(Order)
    class OrderAdmin(RecordAdmin):
        area = "Orders"                                    # sidebar group; icon, nav_position, in_sidebar
        list_display = ["number", "customer", "state", "total", "starts_on"]
        search_fields = ["number", "customer__name"]       # the list's search box
        find_fields = ["number", "po_number", "*name"]     # global search: by beginning, *: any part, =:
        exactly
        list_select_related = ["customer"]
        fieldsets = [("Terms", {"fields": ["billing_frequency", "payment_terms_days"]})]
        editable_fields = ["po_number"]                    # nothing else is ever in a form
        edit_duty = "orders.order.maintain"
        transition_options = {"cancel": {"reason": "required", "danger": True}}
        acts = [Act("amend", "Amend…", "orders.services.amendments.draft", duty="…", form=AmendForm)]
        list_acts = [ListAct("new", "New order", "orders.services.orders.create_draft", form=NewOrderForm)]
        why_fields = {"total": "orders.selectors.explain.order_total"}   # fn(obj) -> Explanation

        def facts(self, obj): return [Fact("Customer", obj.customer)]
        def panels(self, obj): return [Panel("Lines", obj.lines.select_related("sku"), ["position", "sku"])]
        def strip_anchor(self, obj): return Anchor("order", (obj.pk,))
        def timeline_related(self, obj): return [("Line", OrderLine.history.filter(order_id=obj.pk))]
        def timeline_sources(self, obj): return [TimelineEntry(...)]

Columns and fields need no formatting code: amounts, dates, states, relations and JSON are shown by the
kind of their
field (`o2c.console.format`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.contrib.admin import ShowFacets
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin

from o2c.console import columns, editing, filters
from o2c.console.acts import Act, ListAct, from_transitions
from o2c.console.panels import Fact, Panel
from o2c.console.permissions import holds, reading_duty
from o2c.console.registry import Anchor, TimelineEntry
from o2c.states import state_field


class RecordAdmin(editing.EditingMixin, SimpleHistoryAdmin, ModelAdmin):
    """See the module's docstring for what to declare."""

    # --- where it stands in the sidebar
    area: str = ""
    icon: str = "article"
    nav_position: int = 50
    nav_title: str = ""
    in_sidebar: bool = True

    # --- who may look. "" stands for the app's reading duty, "<app>.read"
    view_duty: str = ""
    narrowed: bool = False  # not everybody who may look sees every row

    # --- what may be changed directly
    editable_fields: Sequence[str] = ()
    edit_duty: str = ""
    addable: bool = False
    deletable: bool = False

    # --- acts
    transition_options: Mapping[str, Mapping[str, Any]] = {}
    acts: Sequence[Act] = ()
    list_acts: Sequence[ListAct] = ()
    bulk_amount: str = ""  # field whose money the preview of a bulk act adds up

    # --- numbers that explain themselves: field -> dotted path of fn(obj) -> Explanation
    why_fields: Mapping[str, str] = {}

    # --- global search
    find_fields: Sequence[str] = ()
    find_amounts: Sequence[str] = ()

    # --- list
    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    list_fullwidth = True
    list_max_show_all = 200
    wide: bool = False  # an object page whose tables need the whole width: the timeline stands below
    exportable: bool = True
    export_fields: Sequence[str] = ()  # names or lookup paths; default: the columns of the list
    empty_text: str = ""
    list_filter_sheet = True

    change_list_template = "console/change_list.html"
    change_form_template = "console/edit.html"
    object_template: str = "console/object.html"

    # ------------------------------------------------------------------ hooks of the apps

    def facts(self, obj: Any) -> list[Fact]:
        """Three to six key facts for the header. Default: none; the fields stand below anyway."""
        return []

    def panels(self, obj: Any) -> list[Panel]:
        """Tables of what belongs to the record. One query each."""
        return []

    def strip_anchor(self, obj: Any) -> Anchor | None:
        """What the money strip is about, e.g. Anchor("order", (obj.order_id,)); None for no strip."""
        return None

    def money_strip(self, obj: Any) -> list[Any] | None:
        """The strip itself. Override only when the record's strip isn't made of the registered stages."""
        from o2c.console.strip import strip_for

        return strip_for(self.strip_anchor(obj))

    def timeline_related(self, obj: Any) -> list[tuple[str, models.QuerySet[Any]]]:
        """Histories of parts that belong on this record's timeline: (what it is, history queryset)."""
        return []

    def timeline_aggregates(self, obj: Any) -> list[str]:
        """Outbox aggregates whose events belong on the timeline. Default: the record itself."""
        return [f"{self.model._meta.label_lower}:{obj.pk}"]

    def timeline_sources(self, obj: Any) -> list[TimelineEntry]:
        """Further things that happened: messages, deliveries of documents, jobs."""
        return []

    def notices(self, obj: Any) -> list[tuple[str, str]]:
        """Banners over the record: (tone good|warn|bad|plain, text).

        For what a person must know before acting.
        """
        return []

    def object_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Further context when `object_template` is an app's own that extends console/object.html."""
        return {}

    # ------------------------------------------------------------------ acts

    @cached_property
    def all_acts(self) -> list[Act]:
        """Declared transitions with a service first, then the further acts; names are unique."""
        found = [*from_transitions(self.model, self.transition_options), *self.acts]
        names = [act.name for act in found]
        if len(names) != len(set(names)):
            raise ValueError(f"{type(self).__name__} declares an act twice: {sorted(names)}")
        return found

    def act(self, name: str) -> Act | None:
        return next((act for act in self.all_acts if act.name == name), None)

    @cached_property
    def state_field_name(self) -> str:
        field = state_field(self.model)
        return field.name if field is not None else ""

    @property
    def list_title(self) -> str:
        """What the list is called in sidebar, breadcrumbs and title."""
        plural = str(self.model._meta.verbose_name_plural)
        return self.nav_title or plural[:1].upper() + plural[1:]

    def seen(self, obj: Any) -> str:
        """What whoever opens a dialog looks at, its state first. When it is another when they decide, nothing
        is done.
        """
        return str(getattr(obj, self.state_field_name)) if self.state_field_name else ""

    def bulk_refusal(self, act: Act, rows: list[Any]) -> str:
        """Why these rows can't be done at once though each of them could; "" when they can."""
        return ""

    # ------------------------------------------------------------------ permissions

    def reading_duty(self) -> str:
        return self.view_duty or reading_duty(self.model._meta.app_label)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active) and holds(request.user, self.reading_duty())

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.addable and bool(self.edit_duty) and holds(request.user, self.edit_duty)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.editable_fields) and bool(self.edit_duty) and holds(request.user, self.edit_duty)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.deletable and bool(self.edit_duty) and holds(request.user, self.edit_duty)

    def has_view_history_or_change_history_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    # ------------------------------------------------------------------ list

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return columns.dressed(self, super().get_list_display(request))

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return filters.dressed(self.model, super().get_list_filter(request))

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[Any]) -> Any:
        return super().get_list_display_links(request, list_display) or list(list_display[:1])

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Bulk acts and export. Django's own delete is offered only where deleting is declared."""
        from o2c.console.bulk import bulk_actions

        actions = super().get_actions(request)
        if not self.deletable:
            actions.pop("delete_selected", None)
        return {**actions, **bulk_actions(self, request)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": self.list_title,
            "list_acts": [(act, act.why_not(request.user)) for act in self.list_acts],
            "empty_text": self.empty_text,
            "exportable": self.exportable,
            "has_export": holds(request.user, "console.list.export"),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    # ------------------------------------------------------------------ pages

    def get_urls(self) -> list[URLPattern]:
        from o2c.console import act_views, bulk, explain_views, export, history_views

        name = f"{self.model._meta.app_label}_{self.model._meta.model_name}"
        view = self.admin_site.admin_view

        def at(route: str, function: Any, suffix: str) -> URLPattern:
            return path(route, view(function), {"admin": self}, name=f"{name}_{suffix}")

        return [
            at("do/<slug:act_name>/", act_views.list_act, "list_act"),
            at("bulk/<slug:act_name>/", bulk.preview, "bulk"),
            at("export/", export.export, "export"),
            at("<path:object_id>/do/<slug:act_name>/", act_views.act, "act"),
            at("<path:object_id>/why/<slug:field>/", explain_views.why, "why"),
            at("<path:object_id>/timeline/", history_views.timeline, "timeline"),
            at("<path:object_id>/as-of/", history_views.as_of, "as_of"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The object page; with ?edit=1, or on POST, the form of the declared editable fields."""
        from o2c.console.object_page import object_page

        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if object_id is not None and request.method != "POST" and "edit" not in request.GET:
            return object_page(self, request, object_id)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A version is shown, never put back: the record as it was at that version's moment."""
        from o2c.console.history_views import version

        return version(request, object_id, version_id, admin=self)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from o2c.console.history_views import history

        return history(request, object_id, admin=self)
