"""Floor 1: order book, candles, indicators, snapshot."""
