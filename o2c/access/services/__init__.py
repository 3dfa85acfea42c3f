from o2c.access.services.accounts import ensure_system_accounts
from o2c.access.services.roles import sync_roles

__all__ = ["ensure_system_accounts", "sync_roles"]
