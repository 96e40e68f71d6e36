"""Floor 4: the edges of the house."""
