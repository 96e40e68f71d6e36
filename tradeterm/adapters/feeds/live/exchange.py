"""One exchange through ccxt: public data, no keys, its own hosts and nobody else's.

ccxt is imported here, when asked: never in sim or replay, never before the first paint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from tradeterm.adapters.feeds.live.guard import GuardedSession
from tradeterm.adapters.feeds.live.library import exchange_class, names
from tradeterm.adapters.feeds.live.stitching import mend
from tradeterm.errors import ExchangeError, UsageError
from tradeterm.model.instruments import Instrument
from tradeterm.model.text import clean
from tradeterm.settings.live import Endpoints, LiveSettings
from tradeterm.settings.market import MarketSettings

log = logging.getLogger(__name__)

#: Seconds a websocket may take to close in order.
GOODBYE = 1.0
#: ccxt's way of stating steps (``precisionMode``): as numbers of decimals, or as the step itself.
_DECIMAL_PLACES, _TICK_SIZE = 2, 4
#: Steps and minimums that can be meant: money has 18 decimals at most.
FINEST, LARGEST = Decimal("1e-18"), Decimal("1e9")


def open_exchange(name: str, settings: LiveSettings) -> Any:
    """A ccxt.pro exchange (REST and websocket) on the running loop; ``await close()`` it.

    Raises UsageError when ccxt knows no exchange of this name.
    """
    known = names()
    if name not in known:
        near = get_close_matches(name, known, 1)
        raise UsageError(
            f"--exchange {name!r}: ccxt knows no websocket market of this name"
            + (f"; did you mean {near[0]}?" if near else "")
        )
    session = GuardedSession(settings.largest_body, settings.timeout)
    exchange = exchange_class(name)({
        "session": session,
        "enableRateLimit": True,
        "timeout": int(settings.timeout * 1000),
        "newUpdates": True,
    })  # fmt: skip
    # One request less before the book: markets say all that is needed of their currencies.
    exchange.has = {**exchange.has, "fetchCurrencies": False}
    kinds = exchange.options.get("fetchMarkets")
    if isinstance(kinds, dict) and "types" in kinds:
        kinds["types"] = ["spot"]  # futures have hosts of their own, and lists as long
    mend(exchange)
    _point(exchange, settings.endpoints)
    session.allow(_addresses(exchange.urls["api"], exchange.hostname))
    return exchange


async def close_exchange(exchange: Any) -> None:
    """Let go of sockets; ccxt leaves a session that it did not make alone."""
    session = exchange.session
    await exchange.close()
    if session is not None:
        await session.close()


async def hang_up(client: Any) -> None:
    """Close a websocket of ccxt's; a half-open one answers no goodbye."""
    try:
        async with asyncio.timeout(GOODBYE):
            await client.close()
    except (TimeoutError, OSError) as error:
        log.info("websocket not closed in order: %s", error)


def reason(error: BaseException) -> str:
    """What went wrong, in one clean line; ccxt says only which address was asked.

    Of a group of tasks it is what the first of them died of.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    shown = error.__cause__ if error.__cause__ is not None else error
    text = str(shown) or type(shown).__name__
    return clean(text.splitlines()[0])[:200]


# -- addresses -------------------------------------------------------------------------------


def _point(exchange: Any, endpoints: Endpoints) -> None:
    """Replace the hosts, keep the paths."""
    api = exchange.urls["api"]

    def stand_in(address: str) -> str:
        scheme, _, rest = address.partition("://")
        other = endpoints.ws if scheme in {"ws", "wss"} else endpoints.rest
        path = rest.partition("/")[2]
        return f"{other}/{path}" if other and path else other or address

    exchange.urls["api"] = _mapped(api, stand_in)


def _mapped(tree: Any, change: Callable[[str], str]) -> Any:
    if isinstance(tree, dict):
        return {key: _mapped(value, change) for key, value in tree.items()}
    return change(tree) if isinstance(tree, str) else tree


def _addresses(tree: Any, hostname: str | None) -> Iterator[str]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from _addresses(value, hostname)
    elif isinstance(tree, str):
        yield tree.replace("{hostname}", hostname or "")


# -- instruments -----------------------------------------------------------------------------


async def load_instruments(
    exchange: Any, symbols: Sequence[str], market: MarketSettings
) -> dict[str, Instrument]:
    """The exchange's own steps and minimums; those it does not trade are absent.

    Raises ExchangeError when it cannot be asked, or answers with something else.
    """
    import ccxt

    try:
        known = await exchange.load_markets(reload=True)
    except (ccxt.BaseError, ExchangeError) as error:
        raise ExchangeError(
            f"{exchange.id} does not tell its instruments: {reason(error)}"
        ) from error
    if not known:
        raise ExchangeError(f"{exchange.id} does not tell its instruments: the list is empty")
    found = {}
    for symbol in symbols:
        row = known.get(symbol)
        if row is not None and row.get("active") is not False and row.get("spot") is not False:
            found[symbol] = _instrument(row, exchange.precisionMode, market)
    return found


def _instrument(row: dict[str, Any], mode: int, market: MarketSettings) -> Instrument:
    fees, precision, symbol = market.fees.entry, row["precision"], row["symbol"]
    lot = _step(precision.get("amount"), mode, f"{symbol}, step of its size")
    return Instrument(
        symbol=symbol,
        base=row["base"],
        quote=row["quote"],
        tick=_step(precision.get("price"), mode, f"{symbol}, step of its price"),
        lot=lot,
        min_size=max(lot, _least(row, "amount", f"{symbol}, smallest size")),
        min_notional=_least(row, "cost", f"{symbol}, smallest order value"),
        taker_fee=fees.taker / 100,
    )


def _step(value: object, mode: int, what: str) -> Decimal:
    """A step as ccxt states it; ExchangeError when it states none that can be one."""
    step = None if value is None else _number(value, what)
    if step is not None and mode == _DECIMAL_PLACES:
        step = Decimal(1).scaleb(-int(step)) if abs(step) <= 18 else None
    if step is None or mode not in {_DECIMAL_PLACES, _TICK_SIZE} or not FINEST <= step <= LARGEST:
        raise _unusable(what, value)
    return step.normalize()


def _least(row: dict[str, Any], of: str, what: str) -> Decimal:
    """A minimum; 0 where the exchange states none."""
    value = (row["limits"].get(of) or {}).get("min")
    least = Decimal(0) if value is None else _number(value, what)
    if not 0 <= least <= LARGEST:
        raise _unusable(what, value)
    return least


def _number(value: object, what: str) -> Decimal:
    """Finite, or ExchangeError."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _unusable(what, value) from None
    if not number.is_finite():
        raise _unusable(what, value)
    return number


def _unusable(what: str, value: object) -> ExchangeError:
    return ExchangeError(
        f"{what}: the exchange states {clean(str(value))[:40]!r}, which nothing can be ordered by; "
        "leave the symbol out with --symbols, or try again later"
    )
