"""``python -m tradeterm``."""

from tradeterm.cli import main

main()
