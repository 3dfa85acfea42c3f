from django.apps import AppConfig


class NumberingConfig(AppConfig):
    name = "o2c.numbering"
    label = "numbering"
    verbose_name = "Document numbers"
