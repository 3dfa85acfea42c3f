#!/usr/bin/env python
"""Django's command line. Starts the embedded database first when one is used and the command needs it."""

from __future__ import annotations

import os
import sys

# Commands that create or change tables connect as the owner of the tables; everything else as the app.
OWNER_COMMANDS = {"migrate", "flush", "sqlflush"}
# Commands that work without a database server.
OFFLINE_COMMANDS = {
    "services",
    "check",
    "help",
    "version",
    "collectstatic",
    "compilemessages",
    "makemessages",
}


def main(argv: list[str]) -> None:
    command = argv[1] if len(argv) > 1 else "help"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "o2c.settings")
    if command in OWNER_COMMANDS:
        os.environ.setdefault("O2C_DB_ROLE", "owner")
    if command not in OFFLINE_COMMANDS and not command.startswith("-"):
        from o2c.runtime.embedded import ensure_if_used

        ensure_if_used()
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)


if __name__ == "__main__":
    main(sys.argv)
