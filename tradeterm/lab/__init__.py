"""Floor 6: judging a run afterwards."""
