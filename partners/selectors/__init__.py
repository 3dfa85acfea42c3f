"""Reads for services, pages and the API."""
