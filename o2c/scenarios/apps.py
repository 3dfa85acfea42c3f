from django.apps import AppConfig


class ScenariosConfig(AppConfig):
    name = "o2c.scenarios"
    label = "scenarios"
    verbose_name = "Scenarios"
