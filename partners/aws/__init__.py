"""AWS Marketplace: client, mapping both ways, and a fake that enforces the service's limits."""
