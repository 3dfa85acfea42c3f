"""Order to cash: what is billed, sent, paid and owed."""
