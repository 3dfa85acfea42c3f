"""What every API view stands on.

    class Orders(ListView):
        duties = {"GET": "orders.read", "POST": "orders.order.draft"}
        queryset = Order.objects.select_related("customer")
        serializer_class = OrderOut
        filterset_class = OrderFilter
        order = ("-number",)

        @extend_schema(request=OrderIn, responses={201: OrderOut})
        def post(self, request):
            order = orders.create_draft(**self.read(OrderIn), actor=self.actor)
            return self.created(OrderOut(order).data)

A view parses, calls one service and presents. It says no `atomic`: a method that writes runs inside
`acting(self.actor)`, and whatever it raises rolls back and is answered as problem+json.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, ClassVar, cast
from urllib.parse import unquote

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from o2c.access.middleware import SAFE_METHODS, reason_of
from o2c.access.models import AuthToken, User
from o2c.access.services import reads
from o2c.actor import Actor, acting
from o2c.api import idempotency
from o2c.errors import DomainError

NUL = "\x00"
ON_BEHALF_OF = "X-On-Behalf-Of"


class StaleVersion(DomainError):
    """The caller changes a version that is no longer the current one."""

    status = 412
    default_code = "stale_version"


class UnknownPerson(DomainError):
    """The person on whose behalf the caller wants to act is nobody here."""

    status = 403
    default_code = "unknown_person"


class ApiView(GenericAPIView):
    """The base: who acts, under which duty, once."""

    # HTTP method → duty. A method without a duty is refused to everybody.
    duties: ClassVar[dict[str, str]] = {}
    # POST calls need an Idempotency-Key unless the view says why a repetition is harmless.
    repeatable_because: ClassVar[str] = ""
    # Offered to Salesforce: part of /api/v1/schema/salesforce.
    for_salesforce: ClassVar[bool] = False
    order: ClassVar[tuple[str, ...]] = ("pk",)
    filterset_class: ClassVar[Any] = None

    @functools.cached_property
    def actor(self) -> Actor:
        """Who calls, on whose behalf, within which scopes."""
        scopes = frozenset(self.token.scopes) if self.token is not None else None
        return Actor.of(self.caller, on_behalf_of=self.person, scopes=scopes)

    @property
    def caller(self) -> User:
        """The user who is calling; permission has made sure that there is one."""
        return cast(User, self.request.user)

    @property
    def token(self) -> AuthToken | None:
        """The token that was sent; None for a person with a session."""
        return cast("AuthToken | None", self.request.auth)

    @property
    def request_id(self) -> str:
        return str(getattr(self.request._request, "request_id", ""))

    def needs_key(self, method: str) -> bool:
        return method == "POST" and not self.repeatable_because

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if NUL in unquote(request.get_full_path()):
            raise ParseError("An address has no NUL character.")  # PostgreSQL's text has none
        method = str(request.method)
        if method not in SAFE_METHODS and method.lower() in self.http_method_names:
            handler = getattr(self, method.lower(), self.http_method_not_allowed)
            setattr(self, method.lower(), functools.partial(self._write, handler))

    def read(self, serializer: type[serializers.Serializer[Any]], data: Any = None) -> dict[str, Any]:
        """`data`, by default the request's body, checked; every problem at once. Raises ValidationError."""
        reader = serializer(
            data=self.request.data if data is None else data, context=self.get_serializer_context()
        )
        reader.is_valid(raise_exception=True)
        checked: dict[str, Any] = reader.validated_data
        return checked

    @property
    def raw_body(self) -> bytes:
        """The request's body as it came; needs `parser_classes = (RawJSONParser,)`."""
        return self.request.data if isinstance(self.request.data, bytes) else b""

    def created(self, data: Any) -> Response:
        return Response(data, status=201)

    def check_version(self, current: Any) -> None:
        """Refuse if the caller's `If-Match` names another version than `current` (the representation now).

        Call it after the row is locked. Without the header nothing is checked.
        """
        wanted = self.request.headers.get("If-Match", "").strip().strip('"')
        if wanted and wanted not in ("*", version_of(current)):
            raise StaleVersion(
                "Somebody changed it since you read it",
                remedy="Read it again and repeat the change on what you find.",
            )

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        if isinstance(response, Response) and response.status_code < 300 and not _is_page(response.data):
            self._add_meta(request, response)
        return super().finalize_response(request, response, *args, **kwargs)

    def _add_meta(self, request: Request, response: Response) -> None:
        """What Salesforce can't read from headers stands in the body too."""
        if not isinstance(response.data, dict):
            return
        replayed = bool(getattr(response, "replayed", False))
        version = version_of(response.data)
        response.data = dict(response.data) | {
            "meta": {"request_id": self.request_id, "version": version, "idempotent_replay": replayed}
        }
        response["ETag"] = f'"{version}"'
        if replayed:
            response["Idempotency-Replayed"] = "true"

    def _write(
        self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        request.data  # noqa: B018  # what can't be read is refused before anything is looked up
        with acting(self.actor, reason=reason_of(request._request), request_id=self.request_id):
            if not self.needs_key(str(request.method)):
                return handler(request, *args, **kwargs)
            return self._write_once(handler, request, *args, **kwargs)

    def _write_once(
        self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        def run() -> tuple[int, Any]:
            response = handler(request, *args, **kwargs)
            return response.status_code, response.data

        answer = idempotency.once(
            run,
            account_id=self.actor.user_id,
            key=idempotency.check_key(request.headers.get(idempotency.HEADER)),
            mark=idempotency.fingerprint(
                str(request.method), request.get_full_path(), self.actor.label, request.data
            ),
            request_id=self.request_id,
        )
        response = Response(answer.body, status=answer.status)
        response.replayed = answer.replayed  # type: ignore[attr-defined]
        return response

    @functools.cached_property
    def person(self) -> User | None:
        """The human on whose behalf a service account acts, named in the header."""
        named = self.request.headers.get(ON_BEHALF_OF, "").strip()
        if not named:
            return None
        if self.token is None:
            raise UnknownPerson(f"Only a service account acts on behalf of others: leave out {ON_BEHALF_OF}")
        person = User.objects.filter(username=named, kind=User.Kind.HUMAN, is_active=True).first()
        if person is None:
            raise UnknownPerson(
                f"'{named}' is no active person here",
                remedy=f"Send a username of the back office in {ON_BEHALF_OF}.",
            )
        return person


class ListView(ApiView):
    """GET: a page of rows, filtered by `filterset_class`, in `order`."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        if page:  # whatever it is narrowed by: page by page, or state by state, it is everything
            reads.record(reads.API, request.get_full_path(), len(page), actor=self.actor, reason="GET")
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class DetailView(ApiView):
    """GET: one row, by `lookup_field` in the address."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        data = self.get_serializer(self.get_object()).data
        if request.headers.get("If-None-Match", "").strip('"') == version_of(data):
            return Response(status=304, headers={"ETag": f'"{version_of(data)}"'})
        return Response(data)


class IgnoresAccept(BaseContentNegotiation):
    """The call has one kind of answer, whatever the caller would accept."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class DownloadView(ApiView):
    """GET: a file, such as the PDF of an invoice. A refusal is a problem document as everywhere."""

    content_negotiation_class = IgnoresAccept

    def download(self, content: bytes, media_type: str, name: str) -> HttpResponse:
        disposition = content_disposition_header(as_attachment=True, filename=name)
        return HttpResponse(
            content, content_type=media_type, headers={"Content-Disposition": disposition or ""}
        )


def version_of(data: Any) -> str:
    """The version of a representation: a hash of its content. Two readers that see the same get the same."""
    plain = {name: value for name, value in data.items() if name != "meta"}
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), cls=JSONEncoder)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _is_page(data: Any) -> bool:
    return isinstance(data, dict) and "next_cursor" in data
