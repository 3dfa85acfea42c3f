"""Reads that join or add up, for pages, reports, the API and the services."""
