"""The REST calls of orders: customers, orders, deals from the CRM."""
