"""What approvals compute: which steps a policy asks for, what got worse, when a step is due. Pure."""
