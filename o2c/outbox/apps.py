from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class OutboxConfig(AppConfig):
    name = "o2c.outbox"
    label = "outbox"
    verbose_name = "Events"

    def ready(self) -> None:
        autodiscover_modules("handlers")
