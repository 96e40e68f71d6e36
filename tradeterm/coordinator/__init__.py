"""Floor 2: consensus, conflicts, resolution, approval cards."""
