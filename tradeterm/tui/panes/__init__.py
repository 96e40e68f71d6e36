"""The panes of the deck."""
