from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import dunning_plan, grant_triggers, triggers

        post_migrate.connect(triggers.install, sender=self, dispatch_uid="billing.triggers")
        post_migrate.connect(grant_triggers.install, sender=self, dispatch_uid="billing.grant_triggers")
        post_migrate.connect(dunning_plan.sync, sender=self, dispatch_uid="billing.dunning_plan")
