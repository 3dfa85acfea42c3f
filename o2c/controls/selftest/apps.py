from django.apps import AppConfig


class SelftestConfig(AppConfig):
    name = "o2c.controls.selftest"
    label = "selftest"
    verbose_name = "Self-test of controls"
    default_auto_field = "django.db.models.BigAutoField"
