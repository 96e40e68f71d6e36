"""Who settles conflicts."""
