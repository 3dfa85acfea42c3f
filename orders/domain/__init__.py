"""The arithmetic and the rules of orders: pure functions and frozen values, no database, no clock."""
