"""Exact amounts: Decimal helpers. Observations are floats; money never is."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
#: Smallest amount the ledger keeps of any asset (a satoshi; exchanges use 8 places too).
LEDGER_STEP = Decimal("0.00000001")
#: No amount in the money path has its first digit outside this range.
MIN_EXPONENT, MAX_EXPONENT = -18, 12

#: Contexts of their own round faster than an argument, which makes one for every call.
_towards_zero, _down = Context(rounding=ROUND_DOWN), Context(rounding=ROUND_FLOOR)
_up, _half_even = Context(rounding=ROUND_CEILING), Context(rounding=ROUND_HALF_EVEN)


def exact(value: float | str | Decimal) -> Decimal:
    """The shortest decimal that reads as ``value``; NaN and infinities raise ValueError."""
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not an amount of money")
    return number


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` not above ``value`` (towards minus infinity)."""
    return _down.to_integral_value(value / step) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` not below ``value``."""
    return _up.to_integral_value(value / step) * step


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of ``step`` nearest to ``value``, ties to even."""
    return _half_even.to_integral_value(value / step) * step


def on_grid(value: Decimal, step: Decimal) -> bool:
    """Whether ``value`` is a multiple of ``step``; what is odd beyond arithmetic is none."""
    return (
        value.is_finite() and MIN_EXPONENT <= value.adjusted() <= MAX_EXPONENT and not value % step
    )


def decimals(step: Decimal) -> int:
    """Decimal places of a step: ``0.10`` has one."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 8


def ledger_amount(value: Decimal) -> Decimal:
    """``value`` at the ledger's precision, towards zero (gains never rounded up)."""
    return _towards_zero.quantize(value, LEDGER_STEP)


def ledger_cost(value: Decimal) -> Decimal:
    """``value`` at the ledger's precision, away from zero for positive costs."""
    return _up.quantize(value, LEDGER_STEP)


def total(values: Iterable[Decimal]) -> Decimal:
    """The sum, as a Decimal even when empty."""
    return sum(values, ZERO)


def plain(value: Decimal) -> str:
    """Without exponent or trailing zeros: ``1E+3`` → ``1000``, ``0.500`` → ``0.5``."""
    text = str(value)
    if "E" in text:
        text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
