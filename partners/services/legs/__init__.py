"""The legs of the reconciliation, by what they compare."""
