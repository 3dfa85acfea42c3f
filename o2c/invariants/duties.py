"""Who may have the invariants checked. Reading the results is the app's reading duty."""

DUTIES = {"invariants.run.start": "Run the checks that must find nothing"}

ROLE_DUTIES = {
    "controller": ["invariants.run.start"],
    "auditor": ["invariants.run.start"],
    "admin": ["invariants.run.start"],
}
