"""Pages for people who are not signed in: where AWS Marketplace sends a buyer's browser."""

from django.urls import path

from partners.api import registration

urlpatterns = [path("marketplace/aws/register", registration.register, name="aws-register")]
