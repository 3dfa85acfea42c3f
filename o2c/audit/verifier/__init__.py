"""The verifier: no Django, nothing of the product, and no code shared with the sealer that it checks.

Needs Python 3.11, psycopg and cryptography. `o2c/audit/verify.py` starts it; the two can be carried away
together.
"""
