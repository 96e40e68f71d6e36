"""The clock and the journal: at the limit, inside, outside, unknown; reductions never ask."""

from __future__ import annotations

import pytest

from tests.risk.accounts import INSTRUMENTS, NOW, STATE, D, account, facts, judge, settings
from tradeterm.model.health import Health
from tradeterm.model.proposals import Verdict
from tradeterm.model.vocabulary import Side, VerdictStatus
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.spot import SpotWish

APPROVED, REJECTED = VerdictStatus.APPROVED, VerdictStatus.REJECTED
#: Reasons that are told by the cases of this file.
CODES = {RiskCode.CLOCK_SKEW, RiskCode.JOURNAL}
SOUND = Health(clock_skew=0.0)

CASES = {
    "together": (SOUND, None),
    "a second ahead": (Health(clock_skew=1.0), None),
    "a second behind": (Health(clock_skew=-1.0), None),
    "a millisecond more ahead": (Health(clock_skew=1.001), RiskCode.CLOCK_SKEW),
    "a millisecond more behind": (Health(clock_skew=-1.001), RiskCode.CLOCK_SKEW),
    "an hour off": (Health(clock_skew=3600.0), RiskCode.CLOCK_SKEW),
    "nobody knows": (Health(), RiskCode.CLOCK_SKEW),
    "no number": (Health(clock_skew=float("nan")), RiskCode.CLOCK_SKEW),
    "endless": (Health(clock_skew=float("-inf")), RiskCode.CLOCK_SKEW),
    "two seconds late": (Health(0.0, journal_lag=2.0), None),
    "a millisecond later": (Health(0.0, journal_lag=2.001), RiskCode.JOURNAL),
    "late without a number": (Health(0.0, journal_lag=float("nan")), RiskCode.JOURNAL),
    "late the wrong way": (Health(0.0, journal_lag=-0.001), RiskCode.JOURNAL),
    "not written at all": (Health(0.0, fault="the disk is full"), RiskCode.JOURNAL),
}


def spot(health: Health | None) -> Verdict:
    engine = RiskEngine(settings(), INSTRUMENTS)
    wish = SpotWish("BTC/USDT", Side.BUY, D("0.02"), D(50000))
    return engine.spot(
        wish, account(), facts(health=health), verdict_id="v-1", parent="p-1", now=NOW, state=STATE
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_entry_and_a_spot_order_are_judged_by_clock_and_journal(
    case: tuple[Health, RiskCode | None],
) -> None:
    health, code = case
    for verdict in (judge(market=facts(health=health)), spot(health)):
        assert verdict.codes == (() if code is None else (code,))
        assert verdict.status is (APPROVED if code is None else REJECTED)


def test_both_can_be_wrong_at_once() -> None:
    verdict = judge(market=facts(health=Health(9.0, 9.0, "read-only")))
    assert verdict.codes == (RiskCode.CLOCK_SKEW, RiskCode.JOURNAL)


@pytest.mark.parametrize(
    ("health", "clock", "journal"),
    [
        (Health(1.25, 0.5), ("+1.250", "<= 1", "fail"), ("0.500", "<= 2", "pass")),
        (Health(-0.25, 2.5), ("-0.250", "<= 1", "pass"), ("2.500", "<= 2", "fail")),
        (
            Health(None, 0.0, "full"),
            ("unknown", "<= 1", "fail"),
            ("cannot be written", "<= 2", "fail"),
        ),
        (
            None,
            ("n/a", "nothing to differ from", "pass"),
            ("n/a", "the market waits for the disk", "pass"),
        ),
    ],
)
def test_the_figures_are_shown_and_where_there_are_none_it_says_so(
    health: Health | None, clock: tuple[str, str, str], journal: tuple[str, str, str]
) -> None:
    found = {
        rule.rule: (rule.value, rule.limit, rule.outcome)
        for rule in judge(market=facts(health=health)).rules
    }
    assert found["clock_skew"] == clock
    assert found["journal_health"] == journal


def test_the_limits_are_settings() -> None:
    slow = facts(health=Health(clock_skew=1.5, journal_lag=2.5))
    assert judge(market=slow, max_clock_skew=1.5, max_journal_lag=2.5).status is APPROVED
    assert judge(market=slow).codes == (RiskCode.CLOCK_SKEW, RiskCode.JOURNAL)
