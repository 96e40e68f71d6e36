"""Floor 6: the console."""
