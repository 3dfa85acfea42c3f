"""Who may have the controls tried. Reading the results is the app's reading duty."""

DUTIES = {"selftest.run.start": "Have every forbidden act tried, in a transaction that is undone"}

ROLE_DUTIES = {
    "controller": ["selftest.run.start"],
    "auditor": ["selftest.run.start"],
    "automation": ["selftest.run.start"],
}
