"""Trading decisions: what the analysts say, against what is held and what it costs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.world import (
    BTC,
    INSTRUMENTS,
    SETTINGS,
    account,
    context,
    drift,
    market,
    position,
    snapshot,
)
from tests.wired.stage import play, request
from tradeterm.agents.cross import Cross
from tradeterm.agents.plan import levels, leverage_for
from tradeterm.agents.roster import Roster, RosterState
from tradeterm.agents.trading import TradingAgent
from tradeterm.market.market import Snapshot
from tradeterm.model.orders import Position
from tradeterm.model.outputs import RegimeView, SentimentView, TechnicalView, TradeSignal
from tradeterm.model.vocabulary import (
    Action,
    AgentName,
    Bias,
    PositionSide,
    Regime,
    VolatilityClass,
)

RULES = SETTINGS.agents.trading_decision
SNAPSHOT = snapshot(market(drift(300, 0.0005)))


def technical(bias: Bias, confidence: float = 0.8) -> TechnicalView:
    return TechnicalView(BTC, bias, confidence, 0.5, 1.0, 0.1, "neutral", "rising", 1, 2, {}, "")


def regime(bias: Bias, *, size: float = 1.0, stop: float = 1.0) -> RegimeView:
    return RegimeView(BTC, Regime.RANGING, 0.7, VolatilityClass.NORMAL, bias, size, stop, None,
                      {}, "")  # fmt: skip


def sentiment(bias: Bias) -> SentimentView:
    return SentimentView(BTC, 0.5, bias, 0.7, 3, {}, "")


def decide(
    *views: TechnicalView | RegimeView | SentimentView,
    held: tuple[Position, ...] = (),
    shown: Snapshot = SNAPSHOT,
) -> TradeSignal:
    names = {TechnicalView: AgentName.TECHNICAL, RegimeView: AgentName.REGIME,
             SentimentView: AgentName.SENTIMENT}  # fmt: skip
    heard = {names[type(view)]: view for view in views}
    found = TradingAgent(RULES).run(context(shown, views=heard, view=account(positions=held)))
    assert found is not None
    return found


def test_agreement_enters() -> None:
    assert decide(technical(Bias.LONG), regime(Bias.LONG)).action is Action.BUY
    assert decide(technical(Bias.SHORT), regime(Bias.SHORT)).action is Action.SELL


def test_disagreement_holds_and_says_why() -> None:
    signal = decide(technical(Bias.LONG, 0.6), regime(Bias.SHORT), sentiment(Bias.SHORT))
    assert signal.action is Action.HOLD
    assert "technical +0.60, regime -0.70, sentiment -0.70" in signal.reasoning


def test_without_technical_analysis_there_is_no_decision() -> None:
    agent = TradingAgent(RULES)
    assert agent.run(context(SNAPSHOT, views={AgentName.REGIME: regime(Bias.LONG)})) is None
    assert agent.run(context(None, views={AgentName.TECHNICAL: technical(Bias.LONG)})) is None


def test_a_position_on_the_same_side_is_not_added_to() -> None:
    held = (position(PositionSide.LONG),)
    assert decide(technical(Bias.LONG), held=held).action is Action.HOLD


def test_a_strong_opposite_case_turns_the_position() -> None:
    held = (position(PositionSide.LONG),)
    assert decide(technical(Bias.SHORT), held=held).action is Action.SELL


def test_a_weak_opposite_case_only_closes() -> None:
    views = technical(Bias.SHORT, 0.4), regime(Bias.NEUTRAL)
    held = (position(PositionSide.LONG),)
    signal = decide(*views, held=held)
    assert (signal.action, signal.size) == (Action.CLOSE_LONG, Decimal("0.1"))
    short = decide(technical(Bias.LONG, 0.4), regime(Bias.NEUTRAL),
                   held=(position(PositionSide.SHORT),))  # fmt: skip
    assert short.action is Action.CLOSE_SHORT


def test_positions_elsewhere_do_not_matter() -> None:
    held = (position(PositionSide.SHORT, symbol="XRP/USDT"),)
    assert decide(technical(Bias.LONG), held=held).action is Action.BUY


def test_size_risks_the_configured_share_at_the_stop() -> None:
    signal = decide(technical(Bias.LONG))
    risked = signal.size * (signal.entry - signal.stop)
    wished = Decimal(10_000) * RULES.risk_per_trade / 100
    assert wished * Decimal("0.999") < risked <= wished


def test_the_regime_scales_size_and_stop() -> None:
    calm = decide(technical(Bias.LONG), regime(Bias.LONG))
    wild = decide(technical(Bias.LONG), regime(Bias.LONG, size=0.5, stop=1000.0))
    assert wild.size < calm.size / 2
    assert wild.entry - wild.stop > calm.entry - calm.stop
    assert wild.entry - wild.stop <= wild.entry * RULES.stop_most / 100


def test_more_confidence_wishes_more_leverage() -> None:
    sure = decide(technical(Bias.LONG, 0.95), regime(Bias.LONG))
    unsure = decide(technical(Bias.LONG, 0.4))
    assert 1 <= unsure.leverage < sure.leverage <= RULES.leverage


@pytest.mark.parametrize("wish", ["1.5", "2.6", "3.8", "5"])
@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.95, 1.0])
def test_leverage_never_goes_beyond_the_wish(wish: str, confidence: float) -> None:
    rules = RULES.model_copy(update={"leverage": Decimal(wish)})
    found = leverage_for(rules, confidence)
    assert 1 <= found <= rules.leverage
    assert found == int(found)


async def test_a_tick_too_coarse_for_a_stop_proposes_nothing_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    coarse = "market.instruments.BTC/USDT.tick=1000"
    record = await play(request("sim", tmp_path / "run.db", coarse, seed=7, until="2m"))
    assert record.summary["agents"]["trading_decision"]["errors"] == 0
    assert not [row for row in record.bodies("system") if row["code"] == "E-HANDLER"]
    steps = msgspec.structs.replace(INSTRUMENTS[BTC], tick=Decimal(10_000))
    views = {AgentName.TECHNICAL: technical(Bias.LONG)}
    ctx = msgspec.structs.replace(context(SNAPSHOT, views=views), instruments={BTC: steps})
    signal = TradingAgent(RULES).run(ctx)
    assert signal is not None
    assert signal.action is Action.HOLD
    assert "the tick 10000 leaves no room for a stop" in signal.reasoning


def test_a_cross_rate_is_sized_in_account_currency() -> None:
    made = market(drift(300, 0.0005, first=0.0000077), symbol="XRP/BTC")
    view = snapshot(made, "XRP/BTC")
    ctx = context(view, symbol="XRP/BTC", views={AgentName.TECHNICAL: technical(Bias.LONG)})
    signal = TradingAgent(RULES).run(ctx)
    assert signal is not None
    risked = signal.size * (signal.entry - signal.stop) * Decimal(65_000)
    assert risked <= Decimal(10_000) * RULES.risk_per_trade / 100


def test_no_rate_to_account_currency_means_no_order() -> None:
    made = market(drift(300, 0.0005, first=0.0000077), symbol="XRP/BTC")
    ctx = context(
        snapshot(made, "XRP/BTC"), symbol="XRP/BTC",
        views={AgentName.TECHNICAL: technical(Bias.LONG)},
        view=account(bids={"XRP/USDT": "0.5"}),
    )  # fmt: skip
    signal = TradingAgent(RULES).run(ctx)
    assert signal is not None
    assert signal.action is Action.HOLD
    assert "no rate" in signal.reasoning


@given(
    entry=st.decimals("0.2", "200000", places=4), atr=st.floats(0.0, 50_000.0),
    long=st.booleans(),
)  # fmt: skip
def test_stop_and_target_keep_their_promises(entry: Decimal, atr: float, long: bool) -> None:
    instrument = INSTRUMENTS["XRP/USDT"]
    price = instrument.price(entry)
    stop, target = levels(RULES, instrument, price, atr, long=long)
    distance, reward = abs(price - stop), abs(target - price)
    assert (stop < price < target) if long else (target < price < stop)
    assert stop % instrument.tick == target % instrument.tick == 0
    assert distance <= price * RULES.stop_most / 100
    assert distance >= price * RULES.stop_least / 100 - instrument.tick
    fee = instrument.taker_fee
    loss = distance + fee * (price + stop)
    gain = reward - fee * (price + target)
    assert gain / loss >= Decimal("1.5")


# -- ema_cross -----------------------------------------------------------------------------


def roster() -> Roster:
    rules = RULES.model_copy(update={"rule": "ema_cross", "fast": 5, "slow": 20})
    agents = SETTINGS.agents.model_copy(update={"trading_decision": rules})
    return Roster(agents, SETTINGS.portfolio)


class Averages:
    """Two averages as a test wants them."""

    def __init__(self) -> None:
        self.values: dict[int, float | None] = {5: None, 20: None}

    def emas(self, symbol: str, fast: int, slow: int) -> tuple[float, float] | None:
        assert symbol == BTC
        above, below = self.values[fast], self.values[slow]
        return None if above is None or below is None else (above, below)


WALK = [None, -1.0, -2.0, 0.0, 1.0, 2.0, 0.0, 0.5, -0.5, -1.0, 1.0]


def crosses(rule: Roster, walk: list[float | None]) -> list[Cross | None]:
    averages, found = Averages(), []
    for gap in walk:
        averages.values = {5: None if gap is None else 100.0 + gap, 20: gap and 100.0}
        if gap == 0.0:
            averages.values = {5: 100.0, 20: 100.0}
        found.append(rule.crossed(BTC, averages))
    return found


def test_only_a_change_of_sides_is_a_cross() -> None:
    found = crosses(roster(), WALK)
    assert [index for index, cross in enumerate(found) if cross] == [4, 8, 10]


@pytest.mark.parametrize("cut", range(len(WALK)))
def test_crosses_survive_a_snapshot(cut: int) -> None:
    expected = crosses(roster(), WALK)
    first, second = roster(), roster()
    assert crosses(first, WALK[:cut]) == expected[:cut]
    encoded = msgspec.msgpack.encode(first.dump())
    second.load(msgspec.msgpack.decode(encoded, type=RosterState))
    assert crosses(second, WALK[cut:]) == expected[cut:]


def test_a_cross_becomes_a_protected_entry() -> None:
    up = roster().cross_signal(Cross(BTC, 101.0, 100.0), context(SNAPSHOT))
    down = roster().cross_signal(Cross(BTC, 99.0, 100.0), context(SNAPSHOT))
    assert (up.action, down.action) == (Action.BUY, Action.SELL)
    assert up.stop < up.entry < up.target
    assert down.target < down.entry < down.stop
    assert "EMA 5 at 101 crossed above EMA 20 at 100" in up.reasoning


def test_crosses_come_from_real_averages() -> None:
    rule = roster()
    closes = [*drift(100, 0.002), *drift(100, -0.002, first=80_000.0)]
    signals = [rule.crossed(BTC, market(closes[:count])) for count in range(30, 200, 5)]
    assert [s.fast < s.slow for s in signals if s] == [True]


def test_on_schedule_the_bar_rule_has_nothing_to_add() -> None:
    ctx = context(SNAPSHOT, views={AgentName.TECHNICAL: technical(Bias.LONG)})
    assert roster().run(AgentName.TRADING, ctx) is None
