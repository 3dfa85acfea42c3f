from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LedgerConfig(AppConfig):
    name = "o2c.ledger"
    label = "ledger"
    verbose_name = "Ledger"

    def ready(self) -> None:
        from o2c.ledger import chart

        post_migrate.connect(chart.sync, sender=self, dispatch_uid="o2c.ledger.chart")
