"""Salesforce: ids, the mapping of closed-won deals to our nouns. Its names stay in this package."""
