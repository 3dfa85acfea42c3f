DUTIES = {"outbox.delivery.retry": "Retry the delivery of an event that failed"}

ROLE_DUTIES = {"admin": ["outbox.delivery.retry"], "billing_ops": ["outbox.delivery.retry"]}
