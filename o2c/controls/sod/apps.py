from django.apps import AppConfig


class SodConfig(AppConfig):
    name = "o2c.controls.sod"
    label = "sod"
    verbose_name = "Segregation of duties"
    default_auto_field = "django.db.models.BigAutoField"
