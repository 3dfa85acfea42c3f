from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "o2c.documents"
    label = "documents"
    verbose_name = "Documents"
