"""What a run depends on: the machine, the files, the environment, the hosts; each with its remedy."""
