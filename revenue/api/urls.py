"""Addresses of revenue, under /api/v1/."""

from django.urls import path

from revenue.api import views

urlpatterns = [
    path("revenue/contracts", views.Contracts.as_view(), name="api-revenue-contracts"),
    path("revenue/contracts/<str:number>", views.ContractByOrder.as_view(), name="api-revenue-contract"),
    path("revenue/recognitions", views.Recognitions.as_view(), name="api-revenue-recognitions"),
    path("revenue/balances", views.Balances.as_view(), name="api-revenue-balances"),
    path(
        "revenue/trial-balance/<str:entity>/<str:period>",
        views.TrialBalance.as_view(),
        name="api-revenue-trial-balance",
    ),
    path("revenue/exports", views.Exports.as_view(), name="api-revenue-exports"),
    path(
        "revenue/exports/<str:external_id>/acknowledgement",
        views.ExportAcknowledgement.as_view(),
        name="api-revenue-export-acknowledgement",
    ),
]
