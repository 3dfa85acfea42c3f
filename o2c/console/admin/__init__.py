"""Pages of the kernel's own records. Business records have theirs in their apps."""

from importlib import import_module

from django.contrib import admin
from django.contrib.auth.models import Group

# Rights come from roles (o2c.access); Django's groups give nobody anything here.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)

for name in ("documents", "ledger", "manual", "outbox", "people", "roles", "runtime", "trail"):
    import_module(f"o2c.console.admin.{name}")
