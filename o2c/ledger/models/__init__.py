from o2c.ledger.models.account import Account
from o2c.ledger.models.entity import ExchangeRate, LegalEntity
from o2c.ledger.models.journal import Journal, JournalLine
from o2c.ledger.models.manual import ManualJournal, ManualLine
from o2c.ledger.models.period import AccountingPeriod

__all__ = [
    "Account",
    "AccountingPeriod",
    "ExchangeRate",
    "Journal",
    "JournalLine",
    "LegalEntity",
    "ManualJournal",
    "ManualLine",
]
