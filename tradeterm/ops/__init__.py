"""Floor 6: what looks after a run from the outside."""
