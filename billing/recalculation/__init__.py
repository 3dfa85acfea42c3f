"""The second calculator: what a contract should have been charged, in SQL over raw events and contract rows.

Written apart from the charge engine: it shares no formula, no rollup and no intermediate result with
`billing.domain`, so that a mistake must be made twice to go unseen. `calculator` runs it, `workings` sets
both workings side by side and names the first step that differs. The rules are those of docs/billing.md.
"""
