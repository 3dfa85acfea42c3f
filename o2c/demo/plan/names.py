"""Companies that could exist, where they could be. All invented; domains end in .example."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from stdnum.exceptions import ValidationError
from stdnum.util import get_cc_module

STEMS = (
    "Northwind Kestrel Alder Bramble Cobalt Driftwood Ember Fathom Granite Harbor Ironbark Juniper Keystone "
    "Larkspur Meridian Nimbus Oakline Palisade Quarry Redwood Saffron Tidewater Umbra Vantage Wexford Yarrow "
    "Zephyr Arbor Beacon Cinder Dovetail Eastgate Foxglove Glacier Hawthorn Indigo Jasper Kindle Lattice "
    "Mosaic Nectar Orchard Pinecrest Quill Ridgeway Summit Thicket Upland Verdant Willow Anchor Brightwater "
    "Copperfield Dunmore Evergreen Fieldstone"
).split()
TRADES = (
    "Biologics Robotics Analytics Logistics Health Capital Energy Foods Legal Software Media Insurance "
    "Aerospace Retail Mobility Research Semiconductors Education Travel Diagnostics Security Payments "
    "Materials Agritech Genomics Gaming"
).split()

STREETS = {
    "US": ("Market Street", "Elm Avenue", "Lakeshore Drive", "Commerce Way", "Union Boulevard"),
    "DE": ("Lindenstraße", "Hafenweg", "Goethestraße", "Industriestraße"),
    "FR": ("rue de la République", "avenue Jean Jaurès", "quai du Rhône"),
    "NL": ("Keizersgracht", "Stationsweg", "Havenkade"),
    "IE": ("Baggot Street", "Merchants Quay"),
    "GB": ("King Street", "Mill Lane", "Castle Road", "Victoria Embankment"),
}
# country -> (city, region, postal code, time zone)
PLACES = {
    "US": (
        ("San Francisco", "CA", "94105", "America/Los_Angeles"),
        ("Seattle", "WA", "98101", "America/Los_Angeles"),
        ("Austin", "TX", "78701", "America/Chicago"), ("New York", "NY", "10013", "America/New_York"),
        ("Boston", "MA", "02110", "America/New_York"), ("Chicago", "IL", "60606", "America/Chicago"),
        ("Denver", "CO", "80202", "America/Denver"), ("Portland", "OR", "97204", "America/Los_Angeles"),
    ),
    "DE": (("Berlin", "", "10117", "Europe/Berlin"), ("München", "", "80331", "Europe/Berlin"),
           ("Hamburg", "", "20095", "Europe/Berlin")),
    "FR": (("Paris", "", "75002", "Europe/Paris"), ("Lyon", "", "69002", "Europe/Paris")),
    "NL": (("Amsterdam", "", "1015 CJ", "Europe/Amsterdam"),
           ("Rotterdam", "", "3011 AA", "Europe/Amsterdam")),
    "IE": (("Dublin", "", "D02 AF30", "Europe/Dublin"), ("Cork", "", "T12 XF62", "Europe/Dublin")),
    "GB": (("London", "", "EC2A 4NE", "Europe/London"), ("Manchester", "", "M1 4BT", "Europe/London"),
           ("Edinburgh", "", "EH2 4RG", "Europe/London")),
}  # fmt: skip
FORMS = {
    "US": ("Inc.", "LLC", "Corporation"), "DE": ("GmbH", "AG"), "FR": ("SAS", "SA"), "NL": ("B.V.", "N.V."),
    "IE": ("Limited", "DAC"), "GB": ("Ltd", "plc"),
}  # fmt: skip
FIRST = "Maya Jonas Priya Liam Sofia Chen Amara Noah Elena Marcus Ines Tomás Freya Kofi Hannah Diego".split()
LAST = (
    "Okafor Lindgren Patel Moreau Schneider Costa Nguyen Byrne Fischer Rossi Jansen Murphy Clarke Ito".split()
)


@dataclass(frozen=True)
class Company:
    """A customer's identity: names, address, tax registration, the person who gets the invoices."""

    name: str
    legal_name: str
    country: str
    region: str
    city: str
    postal_code: str
    line1: str
    time_zone: str
    tax_id: str
    contact: str
    email: str


def company(random: Random, number: int, country: str) -> Company:
    """The company with this number: its name is unique up to the number of stems times trades."""
    stem = STEMS[number % len(STEMS)]
    trade = TRADES[(number // len(STEMS) + number) % len(TRADES)]
    name = f"{stem} {trade}"
    round_ = number // (len(STEMS) * len(TRADES))
    if round_:
        name += f" {round_ + 1}"
    city, region, postal_code, time_zone = random.choice(PLACES[country])
    contact = f"{random.choice(FIRST)} {random.choice(LAST)}"
    domain = f"{stem}-{trade}{round_ + 1 if round_ else ''}.example".lower()
    return Company(
        name=name,
        legal_name=f"{name} {random.choice(FORMS[country])}",
        country=country,
        region=region,
        city=city,
        postal_code=postal_code,
        line1=f"{random.randint(1, 980)} {random.choice(STREETS[country])}",
        time_zone=time_zone,
        tax_id=tax_id(random, country),
        contact=contact,
        email=f"ap@{domain}",
    )


SHAPES = {"DE": "DE{:09d}", "FR": "FR{:011d}", "NL": "NL{:09d}B01", "IE": "IE{:07d}", "GB": "GB{:09d}"}


def tax_id(random: Random, country: str) -> str:
    """A registration whose check digits are right: an EIN in the US, a VAT number elsewhere."""
    if country == "US":
        return f"{random.randint(10, 16)}-{random.randint(1000000, 9999999)}"
    module = get_cc_module(country, "vat")
    assert module is not None
    while True:
        digits = {"DE": 9, "FR": 11, "NL": 9, "IE": 7, "GB": 9}[country]
        candidate = SHAPES[country].format(random.randint(10 ** (digits - 1), 10**digits - 1))
        for suffix in "ABCDEFGHIJKLMNOPQRSTUVW" if country == "IE" else ("",):
            try:
                number = str(module.validate(candidate + suffix))
                return number if number.startswith(country) else country + number
            except ValidationError:
                continue
