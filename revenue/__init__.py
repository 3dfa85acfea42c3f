"""Revenue: contracts, obligations, allocation, schedules, recognition, close, GL export."""
