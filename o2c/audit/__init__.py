"""History written by the database, and the guards that no code path can walk around."""
