"""Sign-in by password for humans, and Django's model permissions answered from duties.

The admin, its templates and some libraries ask `user.has_perm("orders.view_order")`. The answer is derived:
`view` from the reading duty of the app, everything else from nothing, because writes go through services that
ask for their own duty. A `RecordAdmin` that lets a person edit names the duty itself
(`o2c.console.RecordAdmin`, `edit_duty`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend

from o2c.access import registry
from o2c.access.authorise import duties_of

if TYPE_CHECKING:
    from o2c.access.models import User


def has_model_permission(user: User, permission: str) -> bool:
    """'orders.view_order' → may the user see the app 'orders'? No other kind of model permission is ever
    held.
    """
    app_label, _, name = permission.partition(".")
    if not name.startswith("view_"):
        return False
    return registry.reading(app_label) in duties_of(user)


def has_module_permission(user: User, app_label: str) -> bool:
    """True if the user holds any duty of the app."""
    return any(duty.startswith(f"{app_label}.") for duty in duties_of(user))


class DutyBackend(ModelBackend):
    """Django's password check, for humans only. Holds no permissions of its own."""

    def user_can_authenticate(self, user: Any) -> bool:
        return super().user_can_authenticate(user) and not getattr(user, "is_service", False)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return user_obj.is_active and has_model_permission(user_obj, perm)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return user_obj.is_active and has_module_permission(user_obj, app_label)
