"""Addresses of orders, under /api/v1/."""

from django.urls import path

from orders.api import catalogue, views

urlpatterns = [
    path("customers", views.Customers.as_view(), name="api-customers"),
    path("customers/<str:number>", views.CustomerByNumber.as_view(), name="api-customer"),
    path(
        "customers/salesforce/<str:salesforce_id>",
        views.CustomerBySalesforceId.as_view(),
        name="api-customer-salesforce",
    ),
    path("skus", catalogue.Skus.as_view(), name="api-skus"),
    path("skus/<str:code>", catalogue.SkuByCode.as_view(), name="api-sku"),
    path("orders", views.Orders.as_view(), name="api-orders"),
    path("orders/<str:number>", views.OrderByNumber.as_view(), name="api-order"),
    path("orders/<str:number>/milestones", views.Milestones.as_view(), name="api-order-milestones"),
    path("salesforce/deals", views.Deals.as_view(), name="api-salesforce-deals"),
]
