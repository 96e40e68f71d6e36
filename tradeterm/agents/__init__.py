"""Floor 2: the five analysts, rule versions."""
