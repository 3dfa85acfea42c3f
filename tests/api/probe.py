"""Addresses of the tests: small views on the API's base classes, with roles as the records they write."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, cast

import django_filters
from django.db import connection
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.access import require
from o2c.access.models import Role
from o2c.actor import acting
from o2c.api import fields
from o2c.api.views import ApiView, DetailView, ListView
from o2c.errors import ClosedPeriod, NoActor


class LineIn(serializers.Serializer[Any]):
    quantity = fields.Quantity()
    price = fields.Amount()


class RoleIn(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=100)
    lines = LineIn(many=True, required=False)


class RoleOut(serializers.ModelSerializer[Role]):
    class Meta:
        model = Role
        fields = ["id", "code", "name"]


class RoleFilter(django_filters.FilterSet):
    code = django_filters.CharFilter()

    class Meta:
        model = Role
        fields = ["code"]


class Roles(ListView):
    duties: ClassVar = {"GET": "access.read", "POST": "access.role.maintain"}
    queryset = Role.objects.all()
    serializer_class = RoleOut
    filterset_class = RoleFilter
    order = ("name",)
    # Set by a test that wants the first request to wait in the middle of its transaction.
    hold: ClassVar[threading.Event | None] = None
    entered: ClassVar[threading.Event] = threading.Event()

    @extend_schema(request=RoleIn, responses={201: RoleOut})
    def post(self, request: Request) -> Response:
        data = self.read(RoleIn)
        require(self.actor, "access.role.maintain", record=data["code"])
        with acting(self.actor):
            role = Role.objects.create(code=data["code"], name=data["name"])
        type(self).entered.set()
        if hold := type(self).hold:
            hold.wait(10)
        return self.created(RoleOut(role).data)


class OneRole(DetailView):
    duties: ClassVar = {"GET": "access.read", "PUT": "access.role.maintain"}
    queryset = Role.objects.all()
    serializer_class = RoleOut
    lookup_field = "code"

    @extend_schema(request=RoleIn, responses={200: RoleOut})
    def put(self, request: Request, code: str) -> Response:
        role = Role.objects.select_for_update().get(code=code)
        self.check_version(RoleOut(role).data)
        role.name = self.read(RoleIn)["name"]
        role.save()
        return Response(RoleOut(role).data)


class Fault(ApiView):
    """POST {"what": …}: raises after having written, to see what stays and what is told."""

    duties: ClassVar = {"POST": "access.role.maintain"}
    serializer_class = RoleIn

    def post(self, request: Request) -> Response:
        Role.objects.create(code="written-before-the-fault", name="x")
        what = cast(dict[str, str], request.data)["what"]
        if what == "bug":
            raise RuntimeError("secret inside")
        if what == "closed":
            raise ClosedPeriod("2026-08 is closed", record="US", remedy="Post in 2026-09.")
        if what == "no actor":
            raise NoActor("inside")
        if what == "duplicate":
            Role.objects.create(code="written-before-the-fault", name="y")
        if what == "guard":
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM access_rolegrant")
        if what == "too long":
            Role.objects.create(code="c" * 60, name="y")
        if what == "deferred":
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO access_roleduty (role_id, duty) VALUES (999999, 'access.read')")
        return Response({})


class Unassigned(ApiView):
    duties: ClassVar[dict[str, str]] = {}
    serializer_class = RoleIn

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path(
        "api/v1/",
        include(
            [
                path("", include("o2c.api.urls")),
                path("roles", Roles.as_view()),
                path("roles/<slug:code>", OneRole.as_view()),
                path("fault", Fault.as_view()),
                path("unassigned", Unassigned.as_view()),
            ]
        ),
    ),
    path("admin/", include(("django.contrib.auth.urls", "admin"), namespace="admin")),
]
