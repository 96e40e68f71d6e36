"""Floor 1: typed settings, read from the YAML files in config/."""
