"""The calls that a CRM needs first: upsert a customer, turn a signed deal into a draft order, read it."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.api.views import ApiView, DetailView, ListView
from o2c.errors import Conflict, InvalidInput, NotFound
from orders.api import inputs, outputs
from orders.models import Customer, DealIntake, Order, OrderLine, Segment
from orders.salesforce.ids import eighteen
from orders.selectors.activation import blockers_of
from orders.selectors.value import order_values
from orders.services import customers, intake, milestones, orders

CUSTOMERS = Customer.objects.select_related("entity").prefetch_related("contacts", "tax_registrations")
LINES = (
    OrderLine.objects.select_related("sku")
    .order_by("position")
    .prefetch_related(
        Prefetch(
            "segments",
            Segment.objects.in_force().select_related("price__sku").order_by("starts_on"),
            to_attr="in_force",
        ),
        "entitlements",
    )
)
ORDERS = Order.objects.select_related("customer", "entity")
NOT_ACTIVE_YET = (Order.State.DRAFT, Order.State.SIGNED)


def whole(order: Order) -> dict[str, Any]:
    """An order with everything that belongs to it. A fixed number of queries."""
    row: Any = ORDERS.prefetch_related(Prefetch("lines", LINES), "amendments").get(pk=order.pk)
    row.value = order_values([row.pk])[row.pk]
    row.blockers = blockers_of([row.pk])[row.pk] if row.state in NOT_ACTIVE_YET else []
    return dict(outputs.OrderOut(row).data)


class CustomerFilter(django_filters.FilterSet):
    class Meta:
        model = Customer
        fields = {
            "state": ["exact"],
            "salesforce_id": ["exact"],
            "country": ["exact"],
            "entity__code": ["exact"],
        }


class Customers(ListView):
    duties = {"GET": "orders.read"}
    queryset = CUSTOMERS
    serializer_class = outputs.CustomerOut
    filterset_class = CustomerFilter
    order = ("number",)

    @extend_schema(operation_id="listCustomers", tags=["orders"], summary="Customers")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class CustomerByNumber(DetailView):
    duties = {"GET": "orders.read"}
    queryset = CUSTOMERS
    serializer_class = outputs.CustomerOut
    lookup_field = "number"
    for_salesforce = True

    @extend_schema(operation_id="readCustomer", tags=["orders"], summary="A customer")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class CustomerBySalesforceId(ApiView):
    duties = {"PUT": "orders.customer.maintain"}
    queryset = Customer.objects.all()
    serializer_class = inputs.CustomerIn
    for_salesforce = True

    @extend_schema(
        operation_id="upsertCustomer",
        tags=["orders"],
        summary="Make the customer of a Salesforce Account, or bring it up to date",
        request=inputs.CustomerIn,
        responses={200: outputs.CustomerOut, 201: outputs.CustomerOut},
    )
    def put(self, request: Request, salesforce_id: str) -> Response:
        identifier = eighteen(salesforce_id)
        known = CUSTOMERS.filter(salesforce_id=identifier).first()
        if known is not None:
            known = CUSTOMERS.select_for_update(of=("self",)).get(pk=known.pk)
            self.check_version(outputs.CustomerOut(known).data)
        reader = inputs.CustomerIn(data=request.data)
        reader.is_valid(raise_exception=True)
        customer = customers.upsert(reader.input(identifier), actor=self.actor)
        data = outputs.CustomerOut(CUSTOMERS.get(pk=customer.pk)).data
        return Response(data, status=200 if known else 201)


class OrderFilter(django_filters.FilterSet):
    class Meta:
        model = Order
        fields = {
            "state": ["exact"],
            "customer__number": ["exact"],
            "salesforce_opportunity_id": ["exact"],
            "starts_on": ["gte", "lt"],
            "ends_on": ["gte", "lt"],
        }


class Orders(ListView):
    duties = {"GET": "orders.read", "POST": "orders.order.draft"}
    queryset = ORDERS
    serializer_class = outputs.OrderRow
    filterset_class = OrderFilter
    order = ("number",)
    for_salesforce = True

    @extend_schema(operation_id="listOrders", tags=["orders"], summary="Orders")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="createOrder",
        tags=["orders"],
        summary="Write a draft order from a signed deal",
        request=inputs.OrderIn,
        responses={201: outputs.OrderOut},
    )
    def post(self, request: Request) -> Response:
        reader = inputs.OrderIn(data=request.data)
        reader.is_valid(raise_exception=True)
        data = reader.input(_customer(reader.validated_data))
        _not_known(data.salesforce_opportunity_id)
        return self.created(whole(orders.create_draft(data, actor=self.actor)))


class OrderByNumber(DetailView):
    duties = {"GET": "orders.read"}
    queryset = ORDERS
    serializer_class = outputs.OrderOut
    lookup_field = "number"
    for_salesforce = True

    @extend_schema(operation_id="readOrder", tags=["orders"], summary="An order with all that belongs to it")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(whole(self.get_object()))


class Milestones(ApiView):
    duties = {"POST": "orders.milestone.record"}
    queryset = Order.objects.all()
    serializer_class = inputs.MilestoneIn

    @extend_schema(
        operation_id="recordMilestone",
        tags=["orders"],
        summary="Record that a milestone was reached, which bills it, or take that back",
        request=inputs.MilestoneIn,
        responses={201: outputs.MilestoneOut},
    )
    def post(self, request: Request, number: str) -> Response:
        reader = inputs.MilestoneIn(data=request.data)
        reader.is_valid(raise_exception=True)
        said = dict(reader.validated_data)
        order = Order.objects.filter(number=number).values_list("pk", flat=True).first()
        if order is None:
            raise NotFound(f"There is no order {number}")
        what: dict[str, Any] = {"line": said["line_id"], "milestone": said["milestone"]}
        if said["reached_on"] is None:
            made = milestones.retract(order, actor=self.actor, reason=said["reason"], **what)
        else:
            what["reached_on"] = said["reached_on"]
            made = milestones.record(order, actor=self.actor, reason=said["reason"], **what)
        return Response(outputs.MilestoneOut(made).data, status=201)


class Deals(ApiView):
    duties = {"POST": "orders.intake.process"}
    queryset = DealIntake.objects.all()
    serializer_class = inputs.OpportunityIn
    for_salesforce = True

    @extend_schema(
        operation_id="submitDeal",
        tags=["orders"],
        summary="Hand over a closed-won Opportunity as it is",
        description=(
            "Makes customer and draft order (201), or parks the deal with a reason per field (202) for a "
            "person in the back office. The same payload twice is the same deal."
        ),
        request=inputs.OpportunityIn,
        responses={201: outputs.DealOut, 202: outputs.DealOut},
    )
    def post(self, request: Request) -> Response:
        payload = request.data if isinstance(request.data, dict) else {}
        taken = intake.receive(payload, actor=self.actor)
        status = 201 if taken.state == DealIntake.State.ACCEPTED else 202
        return Response(outputs.DealOut(taken).data, status=status)


def _customer(data: dict[str, Any]) -> int:
    """The customer that the caller means. Raises NotFound, or InvalidInput when none is named."""
    number, crm = data["customer"], data["customer_salesforce_id"]
    if not number and not crm:
        raise InvalidInput(
            "Say whose order it is",
            fields={"customer": ["give a customer number or customer_salesforce_id"]},
        )
    wanted = {"number": number} if number else {"salesforce_id": eighteen(crm)}
    found = Customer.objects.filter(**wanted).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(f"There is no customer {number or crm}", remedy="Upsert the customer first")
    return found


def _not_known(opportunity: str | None) -> None:
    """A new idempotency key must not make a second order of one deal. Raises Conflict."""
    if opportunity is None:
        return
    known = Order.objects.filter(salesforce_opportunity_id=eighteen(opportunity)).first()
    if known is not None:
        raise Conflict(
            f"The opportunity is {known.number} already",
            record=known.number,
            remedy="Read that order; change it there",
            code="duplicate_business_key",
        )
