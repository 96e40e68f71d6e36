"""The live market: a real exchange's public data, as it arrives."""
