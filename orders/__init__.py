"""Orders: the catalogue, customers, quotes, orders and what they entitle a customer to."""
