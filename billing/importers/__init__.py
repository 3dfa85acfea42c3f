"""Readers of foreign files: usage traces and price lists. They parse; services decide and store."""
