"""Screens that open over the deck."""
