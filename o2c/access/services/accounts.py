"""People and service accounts: made, disabled, handed to another owner. Never deleted: history names them."""

from __future__ import annotations

from axes.utils import reset
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from o2c import clock, locks
from o2c.access.authorise import require
from o2c.access.models import Role, RoleGrant, SignIn, User
from o2c.access.services import sessions
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput

# The human who answers for the shipped accounts until somebody real takes them over
# (`manage.py access own ACCOUNT --by USER`). Nobody can sign in as this placeholder.
PLACEHOLDER_OWNER = "platform-owner"

# These act inside the product only and hold the duties of its automation: whoever had a token of theirs would
# have all of them. They take none.
INTERNAL_ACCOUNTS = frozenset({"system", "scheduler"})

# account → (what it is for, the role of a machine that it holds)
SYSTEM_ACCOUNTS: dict[str, tuple[str, str]] = {
    "system": ("The product's own tasks and event handlers", "automation"),
    "scheduler": ("Tasks started by the clock", "automation"),
    "salesforce": ("The CRM: customers, signed deals, orders", "crm"),
    "metering": ("Product telemetry: usage events", "metering"),
    "bank": ("Banks and payment processors: money received", "bank"),
    "provisioning": ("The internal provisioning service", "provisioning"),
    "aws": ("AWS Marketplace: metering and settlement feeds", "marketplace"),
}


def ensure_system_accounts(*, actor: Actor, reason: str = "system accounts") -> dict[str, User]:
    """Make the accounts that the product itself uses, with their roles. Running it twice changes nothing."""
    with acting(actor, reason=reason):
        owner, _ = User.objects.get_or_create(
            username=PLACEHOLDER_OWNER,
            defaults={
                "display_name": "Platform owner (placeholder)",
                "is_active": False,
                "password": UNUSABLE_PASSWORD_PREFIX,
            },
        )
        accounts: dict[str, User] = {}
        for username, (purpose, _role) in SYSTEM_ACCOUNTS.items():
            accounts[username], _ = User.objects.get_or_create(
                username=username,
                defaults={
                    "kind": User.Kind.SERVICE,
                    "owner": owner,
                    "purpose": purpose,
                    "display_name": username.replace("_", " ").capitalize(),
                    "password": UNUSABLE_PASSWORD_PREFIX,
                },
            )
        _grant_machine_roles(accounts, owner)
    return accounts


def _grant_machine_roles(accounts: dict[str, User], owner: User) -> None:
    roles = {role.code: role for role in Role.objects.filter(shipped=True)}
    held = set(
        RoleGrant.objects.filter(user__in=accounts.values()).values_list("user__username", "role__code")
    )
    RoleGrant.objects.bulk_create(
        RoleGrant(
            user=accounts[username],
            role=roles[code],
            granted_by=owner,
            reason="Shipped with the product",
            valid_from=clock.now(),
        )
        for username, (_purpose, code) in SYSTEM_ACCOUNTS.items()
        if code in roles and (username, code) not in held
    )


def create_person(
    username: str, *, email: str, display_name: str, password: str | None, actor: Actor, reason: str = ""
) -> User:
    """A human who may sign in to the back office; what they may do there comes from grants.

    Without a password they can't sign in until one is set, or until single sign-on knows them.
    """
    require(actor, "access.user.maintain", record=username)
    person = User(
        username=username, email=email, display_name=display_name, kind=User.Kind.HUMAN, is_staff=True
    )
    if password is not None:
        check_password_rules(password, person)
    person.set_password(password)
    return _insert(person, actor=actor, reason=reason)


def set_password(user_id: int, *, password: str, actor: Actor, reason: str = "") -> User:
    """A new password for a human: their own, or by who maintains users."""
    if actor.user_id != user_id:
        require(actor, "access.user.maintain", record=f"user {user_id}")
    with acting(actor, reason=reason):
        person: User = locks.row(User, user_id)
        if person.is_service:
            raise InvalidInput(
                "A service account has no password", record=str(person), remedy="Issue a token."
            )
        check_password_rules(password, person)
        person.set_password(password)
        person.save(update_fields=["password", "password_changed_at"])
    return person


def check_password_rules(password: str, person: User) -> None:
    """Refuse a weak password, with everything that is wrong with it."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), record=str(person), code="weak_password") from error


def create_service_account(
    username: str, *, owner: User, purpose: str, actor: Actor, reason: str = ""
) -> User:
    """A machine's account: no password, no admin; it answers to `owner`, who must be an active human."""
    require(actor, "access.user.maintain", record=username)
    _check_owner(owner)
    account = User(
        username=username,
        kind=User.Kind.SERVICE,
        owner=owner,
        purpose=purpose,
        display_name=username,
        password=UNUSABLE_PASSWORD_PREFIX,
    )
    return _insert(account, actor=actor, reason=reason)


def change_owner(account_id: int, *, owner: User, actor: Actor, reason: str = "") -> User:
    """Hand a service account to another human."""
    require(actor, "access.user.maintain", record=f"service account {account_id}")
    _check_owner(owner)
    with acting(actor, reason=reason):
        account: User = locks.row(User, account_id)
        if not account.is_service:
            raise InvalidInput("A human has no owner", record=str(account))
        account.owner = owner
        account.save(update_fields=["owner"])
    return account


def disable(user_id: int, *, actor: Actor, reason: str = "") -> User:
    """The person or account can no longer sign in, call or act; what they did stays under their name.

    Takes effect on the next request: sessions are deleted, tokens are checked against `is_active` each time.
    Grants end a day later (`grants.end_of_leavers`), so that a mistake can be undone.
    """
    require(actor, "access.user.maintain", record=f"user {user_id}")
    with acting(actor, reason=reason):
        user: User = locks.row(User, user_id)
        if user.pk == actor.user_id:
            raise Conflict(
                "Nobody disables themselves", record=str(user), remedy="Ask another administrator."
            )
        owned = user.owned_accounts.filter(is_active=True).order_by("username")
        if owned:
            raise Conflict(
                f"Still answers for {', '.join(a.username for a in owned)}",
                record=str(user),
                remedy="Give these service accounts another owner first.",
            )
        user.is_active = False
        user.save(update_fields=["is_active"])
        sessions.end_all(user.pk)
    return user


def enable(user_id: int, *, actor: Actor, reason: str = "") -> User:
    """Undo `disable`. Grants that did not end meanwhile are in force again."""
    require(actor, "access.user.maintain", record=f"user {user_id}")
    with acting(actor, reason=reason):
        user: User = locks.row(User, user_id)
        user.is_active = True
        user.save(update_fields=["is_active"])
    return user


def unlock(user_id: int, *, actor: Actor, reason: str = "") -> User:
    """Lift the lock of this name after failed sign-ins, from every address."""
    user = User.objects.get(pk=user_id)
    require(actor, "access.signin.unlock", record=str(user))
    with acting(actor, reason=reason):
        if not reset(username=user.username):
            raise Conflict("Is not locked, and nothing failed lately", record=str(user))
        SignIn.objects.create(
            at=clock.now(), outcome=SignIn.Outcome.UNLOCKED, user=user, username=user.username
        )
    return user


def _check_owner(owner: User) -> None:
    if owner.is_service or not owner.is_active:
        raise InvalidInput("The owner of a service account is an active human", record=str(owner))


def _insert(user: User, *, actor: Actor, reason: str) -> User:
    try:
        with acting(actor, reason=reason):
            user.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(
            f"The name '{user.username}' is taken", remedy="Choose another name.", code="username_taken"
        ) from error
    return user
