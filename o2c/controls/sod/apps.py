from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SodConfig(AppConfig):
    name = "o2c.controls.sod"
    label = "sod"
    verbose_name = "Segregation of duties"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from o2c import actor
        from o2c.audit import install
        from o2c.controls.sod import checks, database, denials, sync

        checks.register()
        install.EXTENSIONS.append(database.triggers_for)
        actor.on_refusal.append(denials.record)
        post_migrate.connect(sync.after_migrate, dispatch_uid="o2c.sod.sync")
