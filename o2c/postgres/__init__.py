"""Django's PostgreSQL backend, which tells the database at each BEGIN who is acting."""
