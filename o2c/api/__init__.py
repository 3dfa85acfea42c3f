"""The REST API's manners, the same for every app: who is calling, errors, idempotency, paging, schema.

Apps build on `o2c.api.views`, `o2c.api.fields` and `o2c.api.filters`; `docs/api.md` tells the callers.
"""
