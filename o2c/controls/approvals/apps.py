from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ApprovalsConfig(AppConfig):
    name = "o2c.controls.approvals"
    label = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c.access import authorise
        from o2c.controls.approvals import lending, registry, shipped

        authorise.lenders.append(lending.lent)

        registry.autodiscover()  # what is declared twice is found at once
        post_migrate.connect(shipped.after_migrate, dispatch_uid="o2c.approvals.shipped")
