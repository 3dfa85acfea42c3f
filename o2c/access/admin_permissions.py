"""What a person may do in the admin, derived from duties.

    class CustomerAdmin(DutyPermissions, ModelAdmin):
        add_duty = "orders.customer.maintain"
        change_duty = "orders.customer.maintain"

Seeing needs the reading duty of the app. Adding and changing need the duty that the class names, and are
impossible where it names none: then the only writes are the buttons of declared transitions. Nothing is
deleted in the admin unless `delete_duty` is named. Being a superuser gives nothing.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.http import HttpRequest

from o2c.access import registry
from o2c.access.authorise import has_duty


class DutyPermissions:
    """Mixin for ModelAdmin and inlines; put it before them."""

    add_duty: str = ""
    change_duty: str = ""
    delete_duty: str = ""
    # The duty to see the rows; the reading duty of the model's app when empty.
    view_duty: str = ""

    model: type[models.Model]

    def duty_to_view(self) -> str:
        return self.view_duty or registry.reading(self.model._meta.app_label)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return has_duty(request.user, self.duty_to_view())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_duty(request.user, self.duty_to_view())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.add_duty) and has_duty(request.user, self.add_duty)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.change_duty) and has_duty(request.user, self.change_duty)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.delete_duty) and has_duty(request.user, self.delete_duty)

    def has_view_history_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_change_history_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
