from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing.triggers import install

        post_migrate.connect(install, sender=self, dispatch_uid="billing.triggers")
