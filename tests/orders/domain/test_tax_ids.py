import pytest

from o2c.errors import InvalidInput
from orders.domain.tax_ids import compact
from orders.salesforce.ids import eighteen


@pytest.mark.parametrize(
    ("country", "given", "stored"),
    [
        ("IE", "IE 6433435F", "IE6433435F"),
        ("IE", "6433435F", "IE6433435F"),
        ("DE", "DE 136,695 976", "DE136695976"),
        ("GR", "094259216", "EL094259216"),
        ("US", "12-3456789", "123456789"),
        ("GB", "GB 980 7806 84", "980780684"),
        ("AE", "100-1234", "1001234"),
        ("IE", "", ""),
    ],
)
def test_stored_form(country: str, given: str, stored: str) -> None:
    assert compact(country, given) == stored


@pytest.mark.parametrize(("country", "given"), [("IE", "IE6433435G"), ("DE", "DE136695978"), ("US", "12-34")])
def test_wrong_check_digits_are_refused(country: str, given: str) -> None:
    with pytest.raises(InvalidInput, match=f"is not a tax number of {country}"):
        compact(country, given)


def test_salesforce_ids_get_their_check_characters() -> None:
    assert eighteen("0061G00000HhviA") == "0061G00000HhviAQAR"
    assert eighteen("0061G00000HhviAQAR") == "0061G00000HhviAQAR"
    with pytest.raises(InvalidInput, match="check characters should be QAR"):
        eighteen("0061G00000HhviAQAA")
    with pytest.raises(InvalidInput, match="not a Salesforce id"):
        eighteen("0061G0")
