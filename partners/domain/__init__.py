"""Pure arithmetic and rules of partner channels: no ORM, no clock, no settings."""
