"""Who may do what: people, service accounts, roles as sets of duties, sign-in.

Everything that writes asks one question, `require(actor, duty, record=…)`; everything that only shows asks
`has_duty(who, duty)`. Nothing else in the product decides about permission.
"""

from o2c.access.authorise import duties_of, has_duty, require

__all__ = ["duties_of", "has_duty", "require"]
