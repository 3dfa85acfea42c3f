"""Columns, constraints and declared transitions of the revenue app; one file per noun."""

from revenue.models.close import CloseRun, Explanation, TieOut
from revenue.models.contracts import (
    Allocation,
    ContractVersion,
    Obligation,
    RevenueContract,
    ScheduleSlice,
    SspEntry,
)
from revenue.models.exports import GlExport, GlExportJournal, GlExportLine
from revenue.models.judgements import JudgedMonth, JudgedObligation, TreatmentJudgement
from revenue.models.recognition import Adjustment, Recognition, RecognitionRun

__all__ = [
    "Adjustment",
    "Allocation",
    "CloseRun",
    "ContractVersion",
    "Explanation",
    "GlExport",
    "GlExportJournal",
    "GlExportLine",
    "JudgedMonth",
    "JudgedObligation",
    "Obligation",
    "Recognition",
    "RecognitionRun",
    "RevenueContract",
    "ScheduleSlice",
    "SspEntry",
    "TieOut",
    "TreatmentJudgement",
]
