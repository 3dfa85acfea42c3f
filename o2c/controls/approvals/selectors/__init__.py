"""Reads: the facts of an act, who may decide, what waits for whom."""
