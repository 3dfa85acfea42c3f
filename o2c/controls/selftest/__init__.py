"""The controls prove themselves: every forbidden act is tried through every door, and nothing stays of it."""
