"""The conversation with the internal provisioning service: idempotent, retried, written down."""
