"""For machines that watch this one."""

from __future__ import annotations

from django.urls import path

from o2c.runtime import views

urlpatterns = [
    path("health/", views.page, name="health"),
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("metrics", views.figures, name="metrics"),
]
