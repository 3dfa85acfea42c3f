"""Django app configuration of revenue."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RevenueConfig(AppConfig):
    name = "revenue"
    verbose_name = "Revenue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from revenue.triggers import install

        post_migrate.connect(install, sender=self, dispatch_uid="revenue.triggers")
