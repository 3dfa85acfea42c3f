"""Partner channels: marketplace agreements, metering, feeds, settlement and reconciliation."""
