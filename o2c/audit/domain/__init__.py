"""Pure parts of the seals: what is hashed, and how."""
