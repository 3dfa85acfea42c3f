"""Deals from Salesforce: accepted into one draft order, or parked with every reason at its field."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from o2c.actor import Actor
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from orders.models import Customer, DealIntake, Order, Segment, Sku
from orders.salesforce.mapping import deal_of
from orders.services import intake
from tests.factories.access import make_account, make_user
from tests.factories.orders import make_entity

pytestmark = pytest.mark.django_db

D = Decimal
DEAL: dict[str, Any] = {
    "Id": "006q000000Hddoh",
    "Name": "Blue Test - 12 months",
    "StageName": "Closed Won",
    "IsWon": True,
    "CloseDate": "2026-08-20",
    "Amount": "2885.00",
    "CurrencyIsoCode": "USD",
    "Contract_Start_Date__c": "2026-09-01",
    "Term_Months__c": 12,
    "Total_Contract_Value__c": "6820.00",
    "PO_Number__c": "PO-4711",
    "Payment_Terms__c": "Net 45",
    "Billing_Frequency__c": "Quarterly",
    "Account": {
        "Id": "001q000000wW9Be",
        "Name": "Blue Test",
        "BillingStreet": "1 Blue Street",
        "BillingCity": "Austin",
        "BillingStateCode": "TX",
        "BillingPostalCode": "78701",
        "BillingCountryCode": "US",
        "Legal_Entity__c": "US",
        "Tax_Id__c": "12-3456789",
        "Billing_Email__c": "ap@blue.example",
    },
    "OpportunityLineItems": {
        "records": [
            {
                "Id": "00k1G00000A3iyq",
                "ProductCode": "SEATS",
                "Quantity": "10",
                "UnitPrice": "40.00",
                "ListPrice": "40.00",
                "Discount": "10",
                "TotalPrice": "360.00",
            },
            {
                "Id": "00k1G00000A3iyr",
                "ProductCode": "ONBOARDING",
                "Quantity": "1",
                "UnitPrice": "2500.00",
                "ListPrice": "2500.00",
                "TotalPrice": "2500.00",
            },
            {
                "Id": "00k1G00000A3iys",
                "ProductCode": "SEATS",
                "Quantity": "5",
                "UnitPrice": "5.00",
                "ListPrice": "40.00",
                "TotalPrice": "25.00",
                "ServiceDate": "2027-08-01",
                "End_Date__c": "2027-08-31",
            },
        ]
    },
}


def deal(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DEAL), **changes}


@pytest.fixture
def crm(catalogue: dict[str, Sku]) -> Actor:
    make_entity("US")
    return Actor.of(make_account("crm-robot", "crm"))


def test_a_won_deal_becomes_a_draft_order(crm: Actor) -> None:
    taken = intake.receive(DEAL, actor=crm)
    assert (taken.state, taken.errors) == ("accepted", [])
    order = taken.order
    assert order is not None
    assert (order.state, order.salesforce_opportunity_id, order.title) == (
        "draft",
        "006q000000HddohAAB",
        "Blue Test - 12 months",
    )
    assert (order.starts_on, order.ends_on) == (dt.date(2026, 9, 1), dt.date(2027, 9, 1))
    assert (order.billing_frequency, order.payment_terms_days, order.po_number) == ("quarter", 45, "PO-4711")
    assert order.signed_total == D("6820.00")
    customer = order.customer
    assert (customer.salesforce_id, customer.tax_id, customer.bill_to_city) == (
        "001q000000wW9BeAAK",
        "123456789",
        "Austin",
    )
    rows = Segment.objects.filter(line__order=order).order_by("line__position").select_related("line__sku")
    assert [(s.line.sku.code, s.quantity, s.discount_percent, s.price_override) for s in rows] == [
        ("SEATS", D(10), D(10), None),
        ("ONBOARDING", D(1), D(0), None),
        ("SEATS", D(5), D(0), {"model": "per_unit", "unit_amount": "5.00"}),
    ]
    # the last day of Salesforce is the day before our exclusive end
    assert (rows[2].starts_on, rows[2].ends_on) == (dt.date(2027, 8, 1), dt.date(2027, 9, 1))
    # 12 x 360 + 2,500 is what was signed for; 25 for the last month is not part of it
    assert rows[0].line.source_line_id == "00k1G00000A3iyq"


def test_the_same_payload_is_the_same_deal(crm: Actor) -> None:
    first = intake.receive(DEAL, actor=crm)
    second = intake.receive(deal(), actor=crm)
    assert first.pk == second.pk
    assert Order.objects.count() == 1


def test_a_changed_deal_does_not_become_a_second_order(crm: Actor) -> None:
    first = intake.receive(DEAL, actor=crm)
    again = intake.receive(deal(Name="Blue Test - changed"), actor=crm)
    assert again.state == "parked"
    assert first.order is not None
    assert again.errors == [
        {"field": "Id", "message": f"is {first.order.number} already", "code": "duplicate_business_key"}
    ]
    assert Order.objects.count() == 1


def test_everything_that_is_wrong_is_said_at_its_field(crm: Actor) -> None:
    bad = deal(
        StageName="Negotiation",
        IsWon=False,
        CloseDate="soon",
        CurrencyIsoCode=None,
        Term_Months__c="1.5",
        Contract_End_Date__c="2027-08-31",
        Payment_Terms__c="whenever",
        Billing_Frequency__c="weekly",
    )
    bad["Account"]["Id"] = "001"
    lines = bad["OpportunityLineItems"]["records"]
    lines[0]["Quantity"] = 10.5
    lines[1]["TotalPrice"] = "2400.00"
    lines[2]["ProductCode"] = ""
    taken = intake.receive(bad, actor=crm)
    assert taken.state == "parked"
    assert {e["field"] for e in taken.errors} == {
        "StageName",
        "CloseDate",
        "CurrencyIsoCode",
        "Term_Months__c",
        "Payment_Terms__c",
        "Billing_Frequency__c",
        "Account.Id",
        "OpportunityLineItems.records[0].Quantity",
        "OpportunityLineItems.records[1].TotalPrice",
        "OpportunityLineItems.records[2].ProductCode",
    }
    assert not Customer.objects.filter(name="Blue Test").exists()


def test_our_own_refusals_are_told_in_the_fields_of_the_crm(crm: Actor) -> None:
    bad = deal(Term_Months__c=None, Contract_End_Date__c="2027-08-31", Amount=None)
    lines = bad["OpportunityLineItems"]["records"]
    lines[0]["ProductCode"] = "NOPE"
    lines[1]["ServiceDate"] = "2026-01-01"
    taken = intake.receive(bad, actor=crm)
    assert [(e["field"], e["message"]) for e in taken.errors] == [
        ("OpportunityLineItems.records[0].ProductCode", "there is no SKU 'NOPE'"),
        (
            "OpportunityLineItems.records[1].ServiceDate",
            "[2026-01-01, 2027-09-01) is not inside the term [2026-09-01, 2027-09-01)",
        ),
    ]
    bad = deal()
    bad["Account"]["Tax_Id__c"] = "12"
    assert [e["field"] for e in intake.receive(bad, actor=crm).errors] == ["Account.Tax_Id__c"]


def test_amounts_must_add_up(crm: Actor) -> None:
    taken = intake.receive(deal(Amount="2800.00"), actor=crm)
    assert taken.errors == [
        {"field": "Amount", "message": "is 2800.00, and the lines come to 2885.00", "code": "total_mismatch"}
    ]


def test_one_unit_price_can_not_replace_tiers(crm: Actor) -> None:
    bad = deal(Amount=None)
    bad["OpportunityLineItems"]["records"][1] |= {"ProductCode": "COMMIT"}
    bad["OpportunityLineItems"]["records"][1] |= {"ListPrice": "9000", "TotalPrice": None}
    taken = intake.receive(bad, actor=crm)
    assert taken.errors[0]["field"] == "OpportunityLineItems.records[1].UnitPrice"
    assert taken.errors[0]["code"] == "unit_price_ambiguous"


def test_a_parked_deal_is_processed_once_its_cause_is_gone(crm: Actor, team: Actor) -> None:
    from orders.services import catalogue as catalogue_services

    unknown = deal()
    unknown["OpportunityLineItems"]["records"][1]["ProductCode"] = "ONBOARDING-EU"
    taken = intake.receive(unknown, actor=crm)
    assert taken.state == "parked"
    assert intake.process(taken.pk, actor=team).state == "parked"
    catalogue_services.save_sku(
        "ONBOARDING-EU", product="AI", name="Onboarding EU", kind="one_time", actor=team
    )
    from orders.services.inputs import PriceInput
    from tests.factories.orders import make_prices

    make_prices(
        team, [PriceInput("ONBOARDING-EU", "USD", {"model": "flat", "amount": "2500"}, dt.date(2026, 1, 1))]
    )
    done = intake.process(taken.pk, actor=team)
    assert (done.state, done.errors) == ("accepted", [])
    with pytest.raises(Conflict, match="needs the state received or parked, and it is accepted"):
        intake.process(taken.pk, actor=team)


def test_a_parked_deal_is_dismissed_with_a_reason(crm: Actor, team: Actor) -> None:
    taken = intake.receive(deal(Amount="1.00"), actor=crm)
    with pytest.raises(NotAuthorised):
        intake.dismiss(taken.pk, actor=crm, reason="x")
    with pytest.raises(InvalidInput, match="needs a reason"):
        intake.dismiss(taken.pk, actor=team)
    assert intake.dismiss(taken.pk, actor=team, reason="duplicate in the CRM").state == "dismissed"


def test_what_arrives_is_accounted_for(crm: Actor, team: Actor) -> None:
    intake.receive(DEAL, actor=crm)
    intake.receive(deal(Amount="1.00"), actor=crm)
    dismissed = intake.receive(deal(Amount="2.00"), actor=crm)
    intake.dismiss(dismissed.pk, actor=team, reason="test")
    states = list(DealIntake.objects.order_by("id").values_list("state", flat=True))
    assert states == ["accepted", "parked", "dismissed"]


@pytest.mark.parametrize("payload", [[], {}, {"Id": "x"}, {"Id": 5}])
def test_a_payload_that_names_no_deal_is_refused(crm: Actor, payload: Any) -> None:
    with pytest.raises(InvalidInput, match="names no Opportunity"):
        intake.receive(payload, actor=crm)


def test_mapping_refuses_floats_and_the_absurd() -> None:
    for value in (0.1, "1e400000", "0.0000000000001", True, "NaN"):
        bad = deal(Amount=None)
        bad["OpportunityLineItems"]["records"][0]["Quantity"] = value
        found, errors = deal_of(bad)
        assert found is None
        assert {e["field"] for e in errors.found} == {"OpportunityLineItems.records[0].Quantity"}


def test_a_person_needs_the_duty(crm: Actor) -> None:
    with pytest.raises(NotAuthorised, match=r"orders\.intake\.process"):
        intake.receive(DEAL, actor=Actor.of(make_user("nobody")))
