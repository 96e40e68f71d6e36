"""Symbols that can only be watched: nothing in the run prices what they are quoted in."""

from __future__ import annotations

from tradeterm.engine.core import Core


def watch_only(core: Core) -> list[str]:
    """One line for each, with the symbol that would have to be added."""
    account, symbols = core.settings.market.account, core.market.symbols
    worth_one = (account.currency, *account.parity)
    steps = [core.instruments[symbol] for symbol in symbols]
    priced = {*worth_one, *(step.base for step in steps if step.quote in worth_one)}
    return [
        f"{step.symbol} can only be watched: nothing in this run prices {step.quote} in "
        f"{account.currency}; to trade it, add its price: "
        f"--symbols {','.join((f'{step.quote}/{account.currency}', *symbols))}"
        for step in steps
        if step.quote not in priced
    ]


def tell_watch_only(core: Core) -> None:
    """At the beginning of a run: without a word, a run that never trades looks broken."""
    for text in watch_only(core):
        core.alert("C-WATCH-ONLY", "warning", text)
