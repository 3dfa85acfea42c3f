from o2c.access.models.reads import ReadEvent
from o2c.access.models.roles import Role, RoleDuty, RoleGrant
from o2c.access.models.signins import SignIn
from o2c.access.models.tokens import AuthToken, TokenUse
from o2c.access.models.users import ServiceAccount, User

__all__ = [
    "AuthToken",
    "ReadEvent",
    "Role",
    "RoleDuty",
    "RoleGrant",
    "ServiceAccount",
    "SignIn",
    "TokenUse",
    "User",
]
