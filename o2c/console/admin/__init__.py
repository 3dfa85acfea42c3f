"""Pages of the kernel's own records. Business records have theirs in their apps."""

from importlib import import_module

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group

# Rights come from roles (o2c.access); Django's groups give nobody anything here.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)

# An installation may leave an app out (O2C_ONLY in o2c/settings.py).
for name in ("documents", "ledger", "outbox", "runtime"):
    if apps.is_installed(f"o2c.{name}"):
        import_module(f"o2c.console.admin.{name}")
for name in ("people", "roles", "trail"):
    import_module(f"o2c.console.admin.{name}")
