"""One exchange of ccxt without its hundred siblings.

``import ccxt.pro`` runs three modules per exchange: 4 s of CPU and 120 MB (4.5.90, measured). One
exchange needs three modules in all, 0.4 s: its packages are put in place without running what
loads the siblings. Exchanges built upon another one's class need more; for them ccxt is loaded
as usual.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_PACKAGES: Final = ("ccxt", "ccxt.async_support", "ccxt.pro")


def names() -> frozenset[str]:
    """Every exchange that can be watched."""
    return frozenset(path.stem for path in (_place() / "pro").glob("[a-z]*.py"))


def exchange_class(name: str) -> Any:
    """The ccxt.pro class of an exchange that is one of ``names``."""
    whole = "ccxt" in sys.modules and hasattr(sys.modules["ccxt"], "exchanges")
    if not whole:
        try:
            return _alone(name)
        except (ImportError, AttributeError, TypeError):
            for loaded in [key for key in sys.modules if key.split(".")[0] == "ccxt"]:
                del sys.modules[loaded]
    import ccxt.pro

    return getattr(ccxt.pro, name)


def _alone(name: str) -> Any:
    for package in _PACKAGES:
        if package not in sys.modules:
            _stand_in(package)
    asynchronous = importlib.import_module(f"ccxt.async_support.{name}")
    # The watching class looks for the asking one on the package.
    setattr(sys.modules["ccxt.async_support"], name, getattr(asynchronous, name))
    return getattr(importlib.import_module(f"ccxt.pro.{name}"), name)


def _stand_in(package: str) -> None:
    """A package whose modules can be imported, without what its ``__init__`` imports."""
    module = ModuleType(package)
    module.__path__ = [str(_place().joinpath(*package.split(".")[1:]))]
    sys.modules[package] = module
    parent, _, last = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
        return
    errors = importlib.import_module("ccxt.base.errors")
    vars(module).update({key: value for key, value in vars(errors).items() if key[0] != "_"})
    vars(module)["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange


def _place() -> Path:
    spec = sys.modules["ccxt"] if "ccxt" in sys.modules else find_spec("ccxt")
    locations = getattr(spec, "submodule_search_locations", None) or getattr(spec, "__path__", [])
    return Path(next(iter(locations)))
