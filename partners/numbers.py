"""Which documents take the numbers of which series."""

SERIES = {"AWS": ("partners_awsagreement", "number")}
