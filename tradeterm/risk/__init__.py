"""Floor 2: the veto."""
