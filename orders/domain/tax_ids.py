"""Tax numbers of customers: which registers can be checked, and the compact form that is stored."""

from __future__ import annotations

from stdnum import get_cc_module
from stdnum.eu.vat import MEMBER_STATES
from stdnum.exceptions import ValidationError
from stdnum.util import clean

from o2c.errors import InvalidInput

# What python-stdnum calls the number that stands on an invoice where "vat" is not its name.
REGISTERS: dict[str, tuple[str, ...]] = {
    "US": ("ein",),
    "CA": ("bn",),
    "AU": ("abn",),
    "NZ": ("ird",),
    "IN": ("gstin",),
    "SG": ("uen",),
    "JP": ("cn",),
    "BR": ("cnpj",),
}

# VAT numbers of the EU are always written with the prefix of the member state, which is EL for Greece.
EUROPEAN_UNION = frozenset(member.upper() for member in MEMBER_STATES)
EUROPEAN_PREFIX = {"GR": "EL"}


def compact(country: str, number: str, *, record: str = "") -> str:
    """`number` without separators, after its check digits have been verified for `country`.

    A country whose register python-stdnum does not know passes with separators removed: refusing every
    customer of such a country would be worse. Raises InvalidInput when the number can't be right.

    >>> compact("IE", "IE 6433435F")
    'IE6433435F'
    """
    text = clean(number, " -./,").upper()
    if not text:
        return ""
    names = REGISTERS.get(country, ("vat",))
    module = next((found for name in names if (found := get_cc_module(country, name))), None)
    if module is None:
        return text
    try:
        valid = str(module.validate(text))
    except ValidationError as error:
        raise InvalidInput(
            f"{number!r} is not a tax number of {country}: {str(error).rstrip('.').lower()}",
            record=record,
            remedy="Compare it with the customer's certificate, or leave it empty",
            code="tax_id_invalid",
            fields={"tax_id": [str(error)]},
        ) from error
    prefix = EUROPEAN_PREFIX.get(country, country) if country in EUROPEAN_UNION else ""
    return valid if valid.startswith(prefix) else prefix + valid
