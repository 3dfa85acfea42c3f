"""Segregation of duties: one table of rules, asked at the grant, at the transaction and afterwards."""
