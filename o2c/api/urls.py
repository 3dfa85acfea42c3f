"""The API's own addresses: who am I, the OpenAPI document, its page."""

from django.urls import path

from o2c.api.docs import DocsView, SchemaView
from o2c.api.me import MeView
from o2c.api.salesforce import SalesforceSchemaView

urlpatterns = [
    path("me", MeView.as_view(), name="api-me"),
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("schema/salesforce", SalesforceSchemaView.as_view(), name="api-schema-salesforce"),
    path("docs", DocsView.as_view(), name="api-docs"),
]
