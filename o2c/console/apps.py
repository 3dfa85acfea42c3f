from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConsoleAdminConfig(admin_apps.AdminConfig):
    """django.contrib.admin with our site in place of the default one."""

    default_site = "o2c.console.site.ConsoleSite"
    default = False


class ConsoleConfig(AppConfig):
    name = "o2c.console"
    label = "console"
    verbose_name = "Console"
    default_auto_field = "django.db.models.BigAutoField"
    default = True

    def ready(self) -> None:
        from o2c.console.registry import autodiscover

        autodiscover()
