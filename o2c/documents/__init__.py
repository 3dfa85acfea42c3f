"""Files that the product made or received, kept by the SHA-256 of their bytes."""
