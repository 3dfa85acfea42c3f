"""Addresses of partners, under /api/v1/."""

from django.urls import path

from partners.api import views

urlpatterns = [
    path("aws/agreements", views.Agreements.as_view(), name="api-aws-agreements"),
    path("aws/agreements/<str:number>", views.Agreement.as_view(), name="api-aws-agreement"),
    path("aws/metering", views.Metering.as_view(), name="api-aws-metering"),
    path("partners/breaks", views.Breaks.as_view(), name="api-partner-breaks"),
]
