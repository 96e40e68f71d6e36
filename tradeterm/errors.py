"""Every error tradeterm raises on purpose. The text a user reads is in the exception.

TradetermError
├── UsageError              bad arguments or options (exit 2)
├── ConfigError             a YAML file, key or value is wrong (exit 2)
├── DataError               market data is absent, damaged or impossible (exit 2)
│   └── ExchangeError       an exchange cannot be reached, or what it says is no answer
├── StoreError              the book of record cannot be used
│   ├── StoreLocked         another process owns it (exit 3)
│   ├── StoreAbsent         there is none yet, or none at that place (exit 2)
│   ├── StoreDamaged        a chain, row or file is not what was written
│   ├── StoreUnwritable     disk full, read-only, no permission
│   └── RunMismatch         the file holds a run of another feed, mode or account
├── CassetteError           recorded answers of models are absent, damaged or of another run (exit 2)
├── InvalidOrder            an order breaks its instrument's rules or its own state graph
├── IllegalStage            a proposal skips a stage of its life
├── LedgerError             a set of postings does not sum to zero, or overdraws
└── EngineFault             an invariant of the engine does not hold
"""

from __future__ import annotations


class TradetermError(Exception):
    """Base of every deliberate failure; ``str(error)`` is what the operator reads."""

    exit_code = 1


class UsageError(TradetermError):
    """A command line argument is wrong."""

    exit_code = 2


class ConfigError(TradetermError):
    """A settings file, key or value is wrong; names file, line, key and remedy."""

    exit_code = 2


class DataError(TradetermError):
    """Market data is absent, damaged or impossible; names file and line."""

    exit_code = 2


class ExchangeError(DataError):
    """An exchange cannot be reached, or what it says is no answer; names it and the reason."""


class StoreError(TradetermError):
    """The book of record cannot be used."""


class StoreLocked(StoreError):
    """Another process owns the store."""

    exit_code = 3


class StoreAbsent(StoreError):
    """There is no store, or no run in it, to look at."""

    exit_code = 2


class StoreDamaged(StoreError):
    """The store does not hold what was written to it."""


class StoreUnwritable(StoreError):
    """The store cannot be written: full, read-only or forbidden."""

    exit_code = 2


class RunMismatch(StoreError):
    """The store holds a run of another feed, mode or account."""

    exit_code = 2


class CassetteError(TradetermError):
    """Recorded answers of models are absent, damaged, or do not fit the run; names the call."""

    exit_code = 2


class InvalidOrder(TradetermError):
    """An order breaks its instrument's rules or its own state graph."""


class IllegalStage(TradetermError):
    """A proposal went from one stage to another that may not follow it."""


class LedgerError(TradetermError):
    """Postings do not sum to zero per asset, or a balance would be overdrawn."""


class EngineFault(TradetermError):
    """An invariant of the engine does not hold; trading halts."""
