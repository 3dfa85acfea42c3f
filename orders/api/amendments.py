"""Amendments by machines: previewed, drafted, and applied or rejected, by the services of the console."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.api import fields
from o2c.api.views import ApiView
from o2c.errors import NotFound
from orders.domain.changes import WHOLE_DAYS
from orders.models import Amendment, Order
from orders.services import amendments


class AmendmentIn(fields.Body):
    """A change of an active order. What `changes` holds goes by `kind` (orders/domain/changes.py)."""

    kind = serializers.ChoiceField(choices=Amendment.Kind.choices)
    effective_on = serializers.DateField(
        help_text="The first day of the change, in the contract's time zone.",
        error_messages={"invalid": f"{WHOLE_DAYS}, 2026-09-01.", "datetime": f"{WHOLE_DAYS}, 2026-09-01."},
    )
    changes = fields.Document(
        required=False, help_text='Of the kind quantity: {"lines": [{"line": 12, "quantity": "15"}]}'
    )
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class DecisionIn(fields.Body):
    """Why."""

    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class AmendmentDetail(serializers.ModelSerializer[Amendment]):
    """An amendment with its effect: the segments before and after, and what the order is worth."""

    value_before = fields.Amount(allow_null=True)
    value_after = fields.Amount(allow_null=True)
    changes = fields.Document()
    effect = fields.Document()

    class Meta:
        model = Amendment
        fields = (
            "number", "kind", "effective_on", "state", "reason", "value_before", "value_after", "applied_on",
            "changes", "effect",
        )  # fmt: skip


class PreviewOut(serializers.Serializer[Any]):
    """What an amendment would do."""

    effect = fields.Document()


class Amendments(ApiView):
    duties = {"POST": "orders.amendment.draft"}
    queryset = Amendment.objects.all()
    serializer_class = AmendmentIn

    @extend_schema(
        operation_id="draftAmendment",
        tags=["orders"],
        summary="Draft an amendment of an active order, with its effect",
        request=AmendmentIn,
        responses={201: AmendmentDetail},
    )
    def post(self, request: Request, number: str) -> Response:
        made = amendments.draft(_order(number), actor=self.actor, **_asked(self.read(AmendmentIn)))
        return self.created(AmendmentDetail(made).data)


class AmendmentPreview(ApiView):
    duties = {"POST": "orders.amendment.draft"}
    queryset = Amendment.objects.all()
    serializer_class = AmendmentIn
    repeatable_because = "it computes an effect and writes nothing"

    @extend_schema(
        operation_id="previewAmendment",
        tags=["orders"],
        summary="What an amendment would do; nothing is written",
        request=AmendmentIn,
        responses={200: PreviewOut},
    )
    def post(self, request: Request, number: str) -> Response:
        return Response({"effect": amendments.preview(_order(number), **_asked(self.read(AmendmentIn)))})


class AmendmentByNumber(ApiView):
    duties = {"GET": "orders.read"}
    queryset = Amendment.objects.all()
    serializer_class = AmendmentDetail

    @extend_schema(operation_id="readAmendment", tags=["orders"], summary="An amendment with its effect")
    def get(self, request: Request, number: str, amendment: int) -> Response:
        return Response(AmendmentDetail(_amendment(number, amendment)).data)


class AmendmentApplication(ApiView):
    duties = {"POST": "orders.amendment.apply"}
    queryset = Amendment.objects.all()
    serializer_class = DecisionIn

    @extend_schema(
        operation_id="applyAmendment",
        tags=["orders"],
        summary="Apply an amendment exactly as previewed, or not at all",
        request=DecisionIn,
        responses={201: AmendmentDetail},
    )
    def post(self, request: Request, number: str, amendment: int) -> Response:
        reason = self.read(DecisionIn)["reason"]
        done = amendments.apply(_amendment(number, amendment).pk, actor=self.actor, reason=reason)
        return self.created(AmendmentDetail(done).data)


class AmendmentRejection(ApiView):
    duties = {"POST": "orders.amendment.apply"}
    queryset = Amendment.objects.all()
    serializer_class = DecisionIn

    @extend_schema(
        operation_id="rejectAmendment",
        tags=["orders"],
        summary="Reject a drafted amendment; the order stays as it is",
        request=DecisionIn,
        responses={201: AmendmentDetail},
    )
    def post(self, request: Request, number: str, amendment: int) -> Response:
        reason = self.read(DecisionIn)["reason"]
        done = amendments.reject(_amendment(number, amendment).pk, actor=self.actor, reason=reason)
        return self.created(AmendmentDetail(done).data)


def _asked(data: dict[str, Any]) -> dict[str, Any]:
    changes = data.get("changes")
    return {**data, "changes": {} if changes is None else changes}


def _order(number: str) -> int:
    pk = Order.objects.filter(number=number).values_list("pk", flat=True).first()
    if pk is None:
        raise NotFound(f"There is no order {number}")
    return pk


def _amendment(number: str, amendment: int) -> Amendment:
    found = Amendment.objects.filter(order__number=number, number=min(amendment, 2**31 - 1)).first()
    if found is None:
        raise NotFound(f"Order {number} has no amendment {amendment}")
    return found
