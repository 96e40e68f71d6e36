"""tradeterm: an interactive terminal trading console with LLM analysts and a rule-based veto."""

__version__ = "0.1.0"
