"""The charge engine: pure functions from contracts and usage to charges. No database, clock or settings."""
