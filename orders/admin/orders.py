"""Orders and their lines."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.admin import credit, forms
from orders.admin.shown import segment_price, timeline
from orders.domain.activation import Blocker
from orders.models import Amendment, Entitlement, MilestoneRecord, Order, OrderLine, Segment
from orders.policy_orders import NOT_STANDARD
from orders.selectors.activation import blockers_of
from orders.selectors.value import line_values
from orders.selectors.work import OrdersWithValue

NOT_ACTIVE_YET = (Order.State.DRAFT, Order.State.SIGNED)


def _draft_only(order: Order, user: Any) -> list[str]:
    if order.state == Order.State.DRAFT:
        return []
    return ["Only a draft is changed directly: take it back to draft, or amend it once it is active."]


def _active_only(order: Order, user: Any) -> list[str]:
    return [] if order.state == Order.State.ACTIVE else ["Only an active order is amended."]


def _has_milestones(order: Order, user: Any) -> list[str]:
    if order.state in (Order.State.ACTIVE, Order.State.COMPLETED):
        return []
    return ["Milestones are recorded on an order that was activated."]


def _has_an_end(order: Order, user: Any) -> list[str]:
    return _active_only(order, user) + ([] if order.ends_on else ["An order without end needs no renewal."])


def _blocked(order: Order, user: Any) -> list[str]:
    if order.state != Order.State.SIGNED:
        return []
    return [str(found) for found in _gate(order)]


def _gate(order: Order) -> list[Blocker]:
    """What the gate says of the order; asked once a page."""
    if not hasattr(order, "blockers"):
        order.blockers = blockers_of([order.pk])[order.pk]  # type: ignore[attr-defined]
    return order.blockers  # type: ignore[attr-defined,no-any-return]


def _not_signed(order: Order, user: Any) -> list[str]:
    return [] if order.state == Order.State.SIGNED else ["Only a signed order is activated."]


_terms_need = needs("orders.order.activate", _not_signed)


def _activatable(order: Order, user: Any) -> list[str]:
    return _blocked(order, user) or _terms_need(order, user)


def _not_askable(order: Order, user: Any) -> list[str]:
    return _not_signed(order, user) or _blocked(order, user)


def _amend(name: str, label: str, form: Any, unavailable: Any = _active_only, **more: Any) -> Act:
    return Act(
        name,
        label,
        f"orders.services.requests.{name}",
        duty="orders.amendment.draft",
        form=form,
        unavailable=unavailable,
        description="Drafts an amendment with its effect; nothing changes before it is applied.",
        **more,
    )


def _line_panel(obj: Order) -> Panel:
    segments = Segment.objects.in_force().select_related("price", "line__sku").order_by("starts_on")
    rows = obj.lines.select_related("sku").prefetch_related(Prefetch("segments", segments, to_attr="spans"))
    values = line_values(obj.pk)
    return Panel(
        "Lines",
        rows,
        [
            "position",
            "sku",
            "description",
            "timing",
            Column(lambda r: timeline(r.spans, obj.starts_on, obj.ends_on), "Timeline"),
            Column(lambda r: r.spans[-1].quantity if r.spans else None, "Quantity"),
            Column(lambda r: segment_price(r.spans[-1]) if r.spans else "ended", "Price"),
            Column(lambda r: values.get(r.pk), "Value over the term", money=obj.currency, total=True),
        ],
        empty="No lines yet: use 'Add line…'.",
        note="Usage has no committed value.",
    )


def _segment_panel(obj: Order) -> Panel:
    rows = Segment.objects.filter(line__order=obj).select_related(
        "line__sku", "price__sku", "opened_by__order", "closed_by__order"
    )
    return Panel(
        "Segments, with those that amendments replaced",
        rows.order_by("line__position", "sequence"),
        [
            Column(lambda s: f"{s.line.position}: {s.line.sku.code}", "Line"),
            "sequence",
            "starts_on",
            "ends_on",
            "quantity",
            Column(segment_price, "Price"),
            "opened_by",
            "closed_by",
        ],
        link_rows=False,
        limit=100,
        code="segments",
        note="A segment is never edited: an amendment closes it and opens another.",
    )


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    area, icon, nav_position, wide = "Orders", "contract", 30, True
    list_display = ["number", "customer", "title", "worth", "starts_on", "ends_on", "channel", "state"]
    list_select_related = ["customer"]
    list_filter = ["state", "currency", "channel", "billing_frequency"]
    search_fields = ["number", "title", "po_number", "customer__name", "customer__number"]
    find_fields = ["number", "po_number", "*title", "=salesforce_opportunity_id"]
    fieldsets = [
        ("Contract", {"fields": ["customer", "entity", "currency", "quote", "title", "po_number"]}),
        (
            "Dates",
            {"fields": ["signed_on", "activated_on", "starts_on", "ends_on", "cancelled_on", "time_zone"]},
        ),
        (
            "Billing clauses",
            {
                "fields": [
                    "billing_frequency",
                    "anchor",
                    "anchor_on",
                    "proration",
                    "counted_day",
                    "remainder",
                    "payment_terms_days",
                    "channel",
                    "late_usage_policy",
                    "late_waive_below",
                    "commitments",
                    "invoice_thresholds",
                    "consolidation_key",
                ]
            },
        ),
        ("Renewal", {"fields": ["auto_renew", "renewal_term_months", "renewal_uplift_percent"]}),
        ("Terms that are not standard", {"fields": list(NOT_STANDARD)}),
    ]
    transition_options = {
        "sign": {"form": forms.SignForm},
        "activate": {
            "form": forms.ActivateForm,
            "unavailable": _activatable,
            "bulk_service": "orders.services.orders.activate_many",
            "description": "Makes the order billable; entitlements follow.",
        },
        "reopen": {"reason": "required", "primary": False},
        "complete": {"primary": False},
        "cancel": {
            "reason": "required",
            "danger": True,
            "unavailable": lambda order, user: (
                ["An active order is cancelled with 'Cancel from a date…'."]
                if order.state == "active"
                else []
            ),
        },
    }
    acts = [
        ask_act("orders.order.activate", "orders.services.orders.ask_activate", _not_askable),
        Act(
            "add_order_line",
            "Add line…",
            "orders.services.draft_lines.add_order_line",
            duty="orders.order.draft",
            form=forms.OrderLineForm,
            unavailable=_draft_only,
        ),
        Act(
            "remove_order_line",
            "Remove line…",
            "orders.services.draft_lines.remove_order_line",
            duty="orders.order.draft",
            form=forms.remove_line_form,
            unavailable=_draft_only,
        ),
        Act(
            "set_order_terms",
            "Billing clauses…",
            "orders.services.draft_lines.set_order_terms",
            duty="orders.order.draft",
            form=forms.terms_form,
            unavailable=_draft_only,
        ),
        Act(
            "record_milestone",
            "Milestone reached…",
            "orders.services.milestones.record",
            duty="orders.milestone.record",
            form=forms.milestone_form,
            unavailable=_has_milestones,
            reason="optional",
            description="The next bill run bills its instalment.",
        ),
        Act(
            "retract_milestone",
            "Milestone not reached…",
            "orders.services.milestones.retract",
            duty="orders.milestone.record",
            form=forms.retract_form,
            unavailable=_has_milestones,
            reason="required",
            danger=True,
            description="Takes a record back; what it billed is credited by the next run.",
        ),
        Act(
            "redeem_coupon",
            "Redeem coupon…",
            "orders.services.coupons.redeem",
            duty="orders.coupon.redeem",
            form=forms.coupon_form,
            description="Holds from the next billing period that begins.",
        ),
        *credit.ORDER_ACTS,
        _amend("change_quantity", "Change quantity…", forms.quantity_form),
        _amend("change_price", "Change price…", forms.price_form, reason="required"),
        _amend("add_line", "Add SKU…", forms.AddLineForm),
        _amend("cancel_from", "Cancel from a date…", forms.cancel_form, reason="required", danger=True),
        _amend("change_plan", "Change plan…", forms.plan_form),
        _amend("pause", "Pause…", forms.pause_form, reason="required"),
        _amend("resume", "Resume…", forms.resume_form),
        _amend("transfer", "Transfer…", forms.TransferForm, reason="required", danger=True),
        _amend("undo", "Undo amendment…", forms.undo_form, reason="required", danger=True),
        _amend("renew", "Renew…", forms.RenewForm, _has_an_end),
    ]
    list_acts = [
        ListAct(
            "new",
            "New order",
            "orders.services.draft_lines.new_order",
            duty="orders.order.draft",
            form=forms.NewOrderForm,
        )
    ]
    editable_fields = ["title", "po_number", "consolidation_key"]
    edit_duty = "orders.order.maintain"
    empty_text = "No order yet. A signed deal from Salesforce arrives here, or use 'New order'."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return OrdersWithValue(Order)

    def worth(self, obj: Any) -> SafeString:
        return fmt.money(obj.value, obj.currency)

    worth.short_description = "Value over the term"  # type: ignore[attr-defined]

    def facts(self, obj: Any) -> list[Fact]:
        return [
            Fact("Customer", obj.customer),
            Fact("Value over the term", fmt.money(obj.value, obj.currency)),
            Fact("Signed for", fmt.money(obj.signed_total, obj.currency)),
            Fact("Term", f"{obj.starts_on} to {obj.ends_on or 'open'}"),
            Fact(
                "Bills", f"{obj.get_billing_frequency_display().lower()}, {obj.get_anchor_display().lower()}"
            ),
            Fact("Quote", obj.quote),
        ]

    def notices(self, obj: Order) -> list[tuple[str, str]]:
        if obj.state == Order.State.ACTIVE and obj.cancelled_on:
            return [("warn", f"Cancelled: served until {obj.cancelled_on}, exclusive.")]
        if obj.state not in NOT_ACTIVE_YET:
            return credit.order_notices(obj)
        return [("warn", f"Can't activate: {found}") for found in _gate(obj)]

    def panels(self, obj: Order) -> list[Panel]:
        granted = Entitlement.objects.filter(line__order=obj).select_related("sku")
        return [
            _line_panel(obj),
            _segment_panel(obj),
            Panel(
                "Amendments",
                obj.amendments.select_related("order", "drafted_by", "applied_by"),
                [
                    "number",
                    "kind",
                    "effective_on",
                    "state",
                    Column(lambda a: a.value_after - a.value_before, "Value changes by", money=obj.currency),
                    "reason",
                    "drafted_by",
                    "applied_by",
                ],
                empty="Never amended.",
            ),
            Panel(
                "Entitlements",
                granted.order_by("line__position", "starts_on"),
                ["sku", "quantity", "starts_on", "ends_on", "action", "state", "external_ref", "last_error"],
                empty="None: they follow when the order becomes active.",
            ),
            *credit.order_panels(obj),
        ]

    def strip_anchor(self, obj: Order) -> Anchor:
        return Anchor("order", (obj.pk,))

    def timeline_related(self, obj: Order) -> list[tuple[str, Any]]:
        lines = list(obj.lines.values_list("pk", flat=True))
        return [
            ("Line", OrderLine.history.filter(order_id=obj.pk)),
            ("Segment", Segment.history.filter(line_id__in=lines)),
            ("Amendment", Amendment.history.filter(order_id=obj.pk)),
            ("Entitlement", Entitlement.history.filter(line_id__in=lines)),
        ]


def _milestone_panel(line: OrderLine) -> list[Panel]:
    """Only of a line that is billed by schedule."""
    if not line.schedule:
        return []
    return [
        Panel(
            "Milestones recorded",
            MilestoneRecord.objects.filter(line=line),
            ["milestone", "sequence", "reached_on", "reason", "recorded_at"],
            empty="None.",
            link_rows=False,
        )
    ]


@admin.register(OrderLine)
class OrderLineAdmin(RecordAdmin):
    area, icon, in_sidebar = "Orders", "format_list_numbered", False
    list_display = ["order", "position", "sku", "description", "timing"]
    list_select_related = ["order__customer", "sku"]
    search_fields = ["order__number", "sku__code", "description", "usage_key"]
    find_fields = ["=usage_key"]

    def facts(self, obj: OrderLine) -> list[Fact]:
        return [
            Fact("Order", obj.order),
            Fact("SKU", obj.sku),
            Fact(
                "Billed",
                f"{obj.get_timing_display().lower()}, {obj.frequency or obj.order.billing_frequency}",
            ),
        ]

    def panels(self, obj: OrderLine) -> list[Panel]:
        rows = obj.segments.select_related("price__sku", "line__sku", "opened_by__order", "closed_by__order")
        columns = ["sequence", "starts_on", "ends_on", "quantity", Column(segment_price, "Price")]
        return [
            Panel("Segments", rows, [*columns, "opened_by", "closed_by"], link_rows=False),
            *_milestone_panel(obj),
            Panel(
                "Entitlements",
                obj.entitlements.all(),
                ["starts_on", "ends_on", "quantity", "action", "state", "external_ref"],
            ),
        ]

    def strip_anchor(self, obj: OrderLine) -> Anchor:
        return Anchor("order", (obj.order_id,))

    def timeline_related(self, obj: OrderLine) -> list[tuple[str, Any]]:
        return [("Segment", Segment.history.filter(line_id=obj.pk))]
