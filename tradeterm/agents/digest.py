"""An agent's question in few words: the same facts, ranked, for models that read slowly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tradeterm.model.money import floor_to
from tradeterm.model.pieces import Piece, brief
from tradeterm.model.ports import AgentQuestion, Allowed, Fact, Quotation, Scope
from tradeterm.model.vocabulary import AgentName

#: Characters of a stranger's text that are quoted.
TEXT_LIMIT: Final = 80
#: What of a timeframe's candles matters most, by who reads them.
_CANDLES: Final = {
    AgentName.TECHNICAL: (
        "rsi", "support", "resistance", "ema_50", "adx", "macd_histogram", "ema_21", "ema_200",
        "roc", "atr", "plus_di", "minus_di",
    ),
    AgentName.REGIME: (
        "adx", "choppiness", "atr", "atr_mean", "squeeze", "ema_50", "plus_di", "minus_di",
    ),
}  # fmt: skip
#: The next timeframe's best value counts as much as this one's after so many others.
_STEP: Final = 2
#: What each analyst says in a word.
_VIEWS: Final = {
    AgentName.TECHNICAL.value: "bias",
    AgentName.REGIME.value: "regime",
    AgentName.SENTIMENT.value: "score",
}
#: What matters most besides, best first; all else follows as it comes.
_DECISION: Final = (
    ("account", ("free",)),
    (AgentName.TECHNICAL.value, ("support", "resistance")),
    ("price", ("fee_percent_per_side",)),
)
_REBALANCE: Final = (("orders due, notional", ()), ("account", ("equity",)), ("weights", ()))
Wanted = tuple[tuple[str, tuple[str, ...]], ...]


def digest(question: AgentQuestion) -> Iterator[Piece]:
    """Everything the question holds, most important first."""
    match question.agent:
        case AgentName.TECHNICAL | AgentName.REGIME:
            yield from _candles(question.facts, _CANDLES[question.agent])
        case AgentName.SENTIMENT:
            yield from map(_quote, question.texts)
            yield from _ranked(question.facts, ())
        case AgentName.TRADING:
            yield from _decision(question)
        case AgentName.PORTFOLIO:
            yield from _ranked(question.facts, _REBALANCE)


def _decision(question: AgentQuestion) -> Iterator[Piece]:
    """What may be done, and what analysts say of it: who holds something hears them first."""
    held = list(_held(question))
    others = [fact for fact in question.facts if not _is_held(fact, question.symbol)]
    views = [_view(fact) for fact in others if fact.name in _VIEWS]
    allowed = [] if question.scope is None else list(_allowed(question.scope))
    yield from held
    yield from allowed[:1]
    yield from (*views, *allowed[1:]) if held else (*allowed[1:], *views)
    yield from _ranked(others, _DECISION)
    if question.scope is not None:
        yield from _refused(question.scope)
    yield from map(_quote, question.texts)


def _candles(facts: tuple[Fact, ...], names: tuple[str, ...]) -> Iterator[Piece]:
    """The close once; then the best values of every timeframe, fewer of each longer one."""
    for fact in facts[:1]:
        yield _piece(fact, "close")
    order = sorted(
        (place * _STEP + rank, place, name)
        for place, fact in enumerate(facts)
        for rank, name in enumerate(names)
        if name in fact.values
    )
    for _, place, name in order:
        yield _piece(facts[place], name)
    for fact in facts[1:]:
        yield _piece(fact, "close")


def _ranked(facts: tuple[Fact, ...] | list[Fact], wanted: Wanted) -> Iterator[Piece]:
    """``wanted`` first (no names: all its values), then the rest."""
    known = {fact.name: fact for fact in facts}
    first = [
        (known[fact], name)
        for fact, names in wanted
        if fact in known
        for name in (names or tuple(known[fact].values))
        if name in known[fact].values
    ]
    said = ("confidence", *_VIEWS.values())
    rest = [
        (fact, name)
        for fact in facts
        for name in fact.values
        if not (fact.name in _VIEWS and name in said)
    ]
    for fact, name in dict.fromkeys((fact.name, name) for fact, name in (*first, *rest)):
        yield _piece(known[fact], name)


def _view(fact: Fact) -> Piece:
    """An analyst's word, how sure it is and how old: it is the source itself."""
    said, sure = brief(fact.values[_VIEWS[fact.name]]), brief(fact.values["confidence"])
    who = fact.name.partition("_")[0]
    return Piece(fact.name, "view", "analysts", f"{who} {said} {sure} {fact.age:.0f}s")


def _is_held(fact: Fact, symbol: str) -> bool:
    return fact.name.startswith("position ") and fact.values.get("symbol") == symbol


def _held(question: AgentQuestion) -> Iterator[Piece]:
    """Positions in the pair itself, as the ledger has them now: who knows of none must not add."""
    for fact in question.facts:
        if _is_held(fact, question.symbol):
            told = {name: brief(value, name) for name, value in fact.values.items()}
            target = f", target {told['target']}" if "target" in told else ""
            words = f"{told['side']} {told['size']} at {told['entry']}, stop {told['stop']}{target}"
            yield Piece(fact.name, "", "held", words)


def _allowed(scope: Scope) -> Iterator[Piece]:
    """What closes, then both directions in one line: the stricter bound of each pair."""
    closes = "".join(f", {action.value}" for action in scope.closes)
    yield Piece("allowed", "actions", "allowed", f"HOLD{closes}")
    if scope.entries:
        names = " or ".join(one.action.value for one in scope.entries)
        yield Piece("allowed", names, "allowed", f"{names}: {_bounds(scope.entries)}")


def _bounds(entries: tuple[Allowed, ...]) -> str:
    price = sum((one.price for one in entries), Decimal(0)) / len(entries)
    least = max(one.min_stop for one in entries)
    most = min(one.max_stop for one in entries)
    return (
        f"price {brief(float(price), 'price')}, size to {_floor(entries, 'max_size')}, "
        f"leverage 1-{_floor(entries, 'max_leverage')}, stop {brief(float(least))}-"
        f"{brief(float(most))} %, loss at it to {_floor(entries, 'max_loss')}, gain from "
        f"{brief(float(max(one.min_reward for one in entries)))}x that, sure from "
        f"{brief(max(one.min_confidence for one in entries))}"
    )


def _floor(entries: tuple[Allowed, ...], name: str) -> str:
    """The smaller bound, never rounded up: what is told must be allowed."""
    value: Decimal = min(getattr(one, name) for one in entries)
    if value <= 0:
        return "0"
    return f"{floor_to(value, Decimal(10) ** (value.adjusted() - 2)).normalize():f}"


def _refused(scope: Scope) -> Iterator[Piece]:
    for action, why in scope.refused.items():
        yield Piece("allowed", f"{action} refused", "refused", f"{action}: {why}")


def _quote(text: Quotation) -> Piece:
    words = f"{text.source[:20]}, {text.age:.0f}s: {text.text[:TEXT_LIMIT]}"
    return Piece("quoted", text.id, "quoted", words, is_quoted=True)


def _piece(fact: Fact, name: str) -> Piece:
    return Piece(fact.name, name, _key(fact), f"{name} {brief(fact.values[name], name)}")


def _key(fact: Fact) -> str:
    return f"{fact.name}, {_since(fact)}"


def _since(fact: Fact) -> str:
    """Whence it is and how old; a model without its provider."""
    return f"{fact.source.rpartition('/')[2]} {fact.age:.0f}s"
