from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "o2c.audit"
    label = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from o2c.audit.fingerprints import record_after_all
        from o2c.audit.install import install_for_app

        post_migrate.connect(install_for_app, dispatch_uid="o2c.audit.triggers")
        post_migrate.connect(record_after_all, dispatch_uid="o2c.audit.fingerprints")
