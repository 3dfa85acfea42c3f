from django.apps import AppConfig


class InvariantsConfig(AppConfig):
    name = "o2c.invariants"
    label = "invariants"
    verbose_name = "Invariants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c.invariants.registry import autodiscover

        autodiscover()
