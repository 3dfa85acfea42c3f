"""What auditors ask for: one record's life, populations, samples with their evidence, re-performance.

History itself, and that nobody changed it, is `o2c.audit`'s.
"""
