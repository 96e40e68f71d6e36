"""Floor 2: orders, the paper exchange, positions."""
