"""What must hold about people and access, whatever code path wrote it."""

from o2c.invariants import invariant


@invariant("access.owners-are-human", "Every service account answers to a human.")
def owners_are_human() -> str:
    return """
        SELECT a.username, o.username AS owner
        FROM access_user a JOIN access_user o ON o.id = a.owner_id
        WHERE a.kind = 'service' AND o.kind <> 'human'
    """


@invariant("access.tokens-belong-to-accounts", "Every token belongs to a service account.")
def tokens_belong_to_accounts() -> str:
    return """
        SELECT t.prefix, u.username FROM access_authtoken t JOIN access_user u ON u.id = t.account_id
        WHERE u.kind <> 'service'
    """


@invariant("access.internal-accounts-have-no-token", "The product's own accounts have no token.")
def internal_accounts_have_no_token() -> str:
    return """
        SELECT t.prefix, u.username FROM access_authtoken t JOIN access_user u ON u.id = t.account_id
        WHERE u.username IN ('system', 'scheduler')
    """


@invariant("access.nobody-granted-own-account", "Nobody gave a role to a service account of theirs.")
def nobody_granted_own_account() -> str:
    return """
        SELECT g.id, u.username, r.code FROM access_rolegrant g
        JOIN access_user u ON u.id = g.user_id JOIN access_role r ON r.id = g.role_id
        JOIN access_user giver ON giver.id = g.granted_by_id
        WHERE u.owner_id = g.granted_by_id AND giver.is_active
    """
