"""Double entry: `post` is the only way in."""

from o2c.ledger.entries import Entry, Line
from o2c.ledger.posting import post, post_query

__all__ = ["Entry", "Line", "post", "post_query"]
