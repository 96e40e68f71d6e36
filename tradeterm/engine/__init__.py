"""Floor 3: the deterministic machine."""
