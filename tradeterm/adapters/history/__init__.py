"""Candles of the past, kept on this machine."""
