"""The buyer's first visit: the token is resolved while the buyer waits, and only its digest is kept.

Tokens live between half an hour and four hours, depending on which AWS text one reads, so a token is never
queued. The marketplace is asked before the transaction begins.
"""

import hashlib
from datetime import datetime

from o2c import locks, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from partners import events
from partners.aws.client import Identity, Metering
from partners.models import AgreementIdentity, AwsAgreement, Channel, Registration
from partners.services.agreements import IdentityTuple, append_identity


def register(
    token: str, *, channel: Channel, client: Metering, as_of: datetime, actor: Actor, reason: str = ""
) -> Registration:
    """Exchange the token for the buyer's ids and link them to the agreement that waits for them, if one does.

    The same token again returns the registration it made. Raises RegistrationRefused for a token that AWS
    does not know or that has expired.
    """
    digest = hashlib.sha256(token.encode()).hexdigest()
    known = Registration.objects.filter(token_sha256=digest).first()
    if known is not None:
        return known
    require(actor, "partners.registration.receive", record=channel.name)
    identity = client.resolve_customer(token)
    with acting(actor, reason=reason or "registration at the marketplace"):
        registration, made = Registration.objects.get_or_create(
            token_sha256=digest,
            defaults={
                "channel": channel,
                "customer_identifier": identity.customer_identifier,
                "aws_account_id": identity.aws_account_id,
                "license_arn": identity.license_arn,
                "product_code": identity.product_code,
                "agreement_ref": identity.agreement_id,
                "registered_at": as_of,
            },
        )
        if made:
            _announce(registration)
            agreement_id = match(identity)
            if agreement_id is not None:
                claim(registration.pk, agreement_id, actor=actor)
                registration.refresh_from_db()
    return registration


def _announce(registration: Registration) -> None:
    outbox.publish(
        type=events.REGISTERED,
        aggregate=f"partners.registration:{registration.pk}",
        payload={"registration_id": registration.pk},
    )


def bare_licence(arn: str) -> str:
    """The `l-…` id at an ARN's end: the events print the ARN without its prefix, so only this compares."""
    return arn.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def match(identity: Identity) -> int | None:
    """The one agreement these ids name: by AWS agreement id, by licence, or by account and product alone.

    Two candidates are none: a person decides.
    """
    rows = AgreementIdentity.objects.filter(product_code=identity.product_code)
    candidates: set[int] = set()
    if identity.agreement_id:
        candidates = set(
            rows.filter(agreement_ref=identity.agreement_id).values_list("agreement_id", flat=True)
        )
    if not candidates and identity.license_arn:
        licence = bare_licence(identity.license_arn)
        candidates = set(rows.filter(license_arn__endswith=licence).values_list("agreement_id", flat=True))
    if not candidates and identity.aws_account_id:
        candidates = set(
            rows.filter(aws_account_id=identity.aws_account_id)
            .exclude(agreement__state=AwsAgreement.State.ENDED)
            .values_list("agreement_id", flat=True)
        )
    return candidates.pop() if len(candidates) == 1 else None


def claim(pk: int, agreement_id: int, *, actor: Actor, reason: str = "") -> Registration:
    """Link a registered buyer to an agreement, and append the ids that the marketplace gave."""
    with acting(actor, reason=reason or "registration claimed"):
        registration = locks.row(Registration, pk)
        require(actor, "partners.registration.claim", record=str(registration))
        agreement = AwsAgreement.objects.get(pk=agreement_id)
        codes = set(agreement.identities.values_list("product_code", flat=True))
        if registration.product_code not in codes:
            raise Conflict(
                f"The buyer registered for product {registration.product_code},"
                f" the agreement is for {', '.join(codes)}",
                record=agreement.number,
                remedy="Choose the agreement of that product",
            )
        registration.claim()
        registration.agreement = agreement
        registration.save()
        append_identity(
            agreement_id,
            IdentityTuple(
                product_code=registration.product_code,
                customer_identifier=registration.customer_identifier,
                aws_account_id=registration.aws_account_id,
                license_arn=registration.license_arn,
                agreement_ref=registration.agreement_ref,
            ),
            source="registration",
            actor=actor,
        )
        return registration
