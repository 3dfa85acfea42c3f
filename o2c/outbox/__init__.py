"""Events between the apps: published in the transaction of their cause, delivered after it."""

from o2c.outbox.publishing import publish, publish_many
from o2c.outbox.registry import Event, consumer

__all__ = ["Event", "consumer", "deliver_here", "drain", "publish", "publish_many"]


def drain() -> int:
    """Deliver until nothing is due, including what the handlers publish; returns the number done."""
    from o2c.outbox.relay import drain as drain_all  # its models load after the apps

    return drain_all()


def deliver_here() -> int:
    """Deliver what the present request published, inside its open transaction; returns the number done.

    For work that is looked at and rolled back, such as a preview. An error of a handler is raised.
    """
    from o2c.outbox.relay import deliver_here as deliver

    return deliver()
