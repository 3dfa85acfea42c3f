"""Controls: segregation of duties, approvals, evidence. Each is an app of its own below."""
