"""What writes the chain: the sealer, the anchors, a new epoch."""
