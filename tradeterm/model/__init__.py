"""Floor 0: the vocabulary of the house."""
