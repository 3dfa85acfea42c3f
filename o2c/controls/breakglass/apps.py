from django.apps import AppConfig


class BreakglassConfig(AppConfig):
    name = "o2c.controls.breakglass"
    label = "breakglass"
    verbose_name = "Emergency access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c.access import authorise
        from o2c.controls.breakglass import lending

        authorise.lenders.append(lending.lent)
        authorise.on_lent.append(lending.note_use)
