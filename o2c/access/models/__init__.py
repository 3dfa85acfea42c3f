from o2c.access.models.roles import Role, RoleDuty, RoleGrant
from o2c.access.models.signins import SignIn
from o2c.access.models.tokens import AuthToken, TokenUse
from o2c.access.models.users import ServiceAccount, User

__all__ = ["AuthToken", "Role", "RoleDuty", "RoleGrant", "ServiceAccount", "SignIn", "TokenUse", "User"]
