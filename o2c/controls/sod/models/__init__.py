from o2c.controls.sod.models.denials import Denial
from o2c.controls.sod.models.exceptions import SodException
from o2c.controls.sod.models.reviews import Campaign, ReviewItem
from o2c.controls.sod.models.rules import FunctionDuty, MachineMitigation, SodRule, SodSide

__all__ = [
    "Campaign",
    "Denial",
    "FunctionDuty",
    "MachineMitigation",
    "ReviewItem",
    "SodException",
    "SodRule",
    "SodSide",
]
