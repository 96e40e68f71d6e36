"""Floor 2: the ledger and what it is worth."""
