from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "o2c.api"
    label = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c.api import checks

        checks.register()
