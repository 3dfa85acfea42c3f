"""Addresses of orders, under /api/v1/."""

from django.urls import path

from orders.api import amendments, catalogue, views

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
    path("orders/<str:number>/amendments", amendments.Amendments.as_view(), name="api-order-amendments"),
    path(
        "orders/<str:number>/amendments/preview",
        amendments.AmendmentPreview.as_view(),
        name="api-order-amendment-preview",
    ),
    path(
        "orders/<str:number>/amendments/<int:amendment>",
        amendments.AmendmentByNumber.as_view(),
        name="api-order-amendment",
    ),
    path(
        "orders/<str:number>/amendments/<int:amendment>/apply",
        amendments.AmendmentApplication.as_view(),
        name="api-order-amendment-apply",
    ),
    path(
        "orders/<str:number>/amendments/<int:amendment>/reject",
        amendments.AmendmentRejection.as_view(),
        name="api-order-amendment-reject",
    ),
    path("salesforce/deals", views.Deals.as_view(), name="api-salesforce-deals"),
]
