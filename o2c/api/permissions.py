"""The duty that a view names for the method, held by whoever calls."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from o2c.access.authorise import why_not
from o2c.errors import NotAuthorised

SIGNED_IN = "*"  # in place of a duty: whoever is known


class HoldsDuty(BasePermission):
    """`view.duties[method]` names the duty; a method without one is open to nobody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS":
            return True
        duty = view.duties.get(method)
        if duty == SIGNED_IN:
            return view.actor is not None
        if duty is None and not hasattr(view, str(method).lower()):
            raise MethodNotAllowed(str(method))
        reason = why_not(view.actor, duty) if duty else "No duty opens this call"
        if reason:
            raise NotAuthorised(
                reason, code="duty_missing", remedy="Ask an administrator for a role that has it."
            )
        return True
