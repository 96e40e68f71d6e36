"""What a run was told by its market, kept on disk and read back exactly."""
