"""The page of scenarios, for people who are signed in to the console."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from o2c.scenarios import pages

urlpatterns = [
    path("scenarios/", admin.site.admin_view(pages.page), name="scenarios"),
    path("scenarios/order/<int:pk>/", admin.site.admin_view(pages.order_file), name="scenarios_order"),
]
