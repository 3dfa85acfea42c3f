from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "o2c.access"
    label = "access"
    verbose_name = "People and access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c.access import checks, registry, signals

        registry.autodiscover()
        checks.register()
        signals.connect()
        post_migrate.connect(signals.after_migrate, dispatch_uid="o2c.access.after_migrate")
