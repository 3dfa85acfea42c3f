"""The arithmetic of ASC 606 / IFRS 15 as pure functions: no database, no clock, no settings."""
