"""Floor 2: the five analysts, by rule and with models in the place of judgement."""
