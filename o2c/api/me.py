"""Who the API takes the caller for: the first call of every integration."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.access.authorise import duties_of_id
from o2c.api.permissions import SIGNED_IN
from o2c.api.views import ApiView


class MeSerializer(serializers.Serializer[Any]):
    """The caller."""

    username = serializers.CharField()
    kind = serializers.ChoiceField(choices=["human", "service"])
    owner = serializers.CharField(allow_null=True, help_text="Who answers for a service account.")
    on_behalf_of = serializers.CharField(allow_null=True)
    token_expires_at = serializers.DateTimeField(allow_null=True)
    duties = serializers.ListField(child=serializers.CharField(), help_text="What the caller may do now.")


class MeView(ApiView):
    duties = {"GET": SIGNED_IN}
    serializer_class = MeSerializer
    pagination_class = None
    for_salesforce = True

    @extend_schema(operation_id="whoAmI", summary="Who the API takes you for")
    def get(self, request: Request) -> Response:
        user = self.caller
        held = duties_of_id(user.pk)
        if self.actor.scopes is not None:
            held &= self.actor.scopes
        if self.actor.on_behalf_of_id is not None:
            held &= duties_of_id(self.actor.on_behalf_of_id)
        return Response(
            {
                "username": user.username,
                "kind": user.kind,
                "owner": user.owner.username if user.owner else None,
                "on_behalf_of": self.person.username if self.person else None,
                "token_expires_at": self.token.expires_at if self.token else None,
                "duties": sorted(held),
            }
        )
