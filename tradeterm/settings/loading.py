"""Loads the settings: packaged defaults, then --config DIR, then environment, then --set.

Every value knows where it came from; every mistake is reported, all of them at once, with file,
line, key, value, remedy and the nearest valid name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

import tradeterm
from tradeterm.errors import ConfigError
from tradeterm.settings.checking import Checker, nearest, problems
from tradeterm.settings.parsing import Branch, Leaf, Node, Problem, parse
from tradeterm.settings.settings import Settings

ENV_PREFIX: Final = "TRADETERM__"
DEFAULTS: Final = "config/"
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force and the origin of each value (dotted key → place)."""

    settings: Settings
    origins: dict[str, str]

    @property
    def written(self) -> dict[str, str]:
        """The origins of what is not as packaged."""
        return {key: at for key, at in self.origins.items() if not at.startswith(DEFAULTS)}


def load_settings(
    config_dir: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Read everything; raises ConfigError naming every mistake."""
    return Loaded(*read(Settings, packaged_dir(), config_dir, overrides, environ or {}))


def packaged_dir() -> Path:
    """Where the default YAML is: inside the wheel, or the source tree's config/."""
    package = Path(tradeterm.__file__).parent
    inside = package / "_config"
    return inside if inside.is_dir() else package.parent / "config"


def read(
    root: type[M],
    defaults: Path,
    config_dir: Path | None,
    overrides: Sequence[str],
    environ: Mapping[str, str],
) -> tuple[M, dict[str, str]]:
    """The same for any tree of sections; each field of ``root`` is one file."""
    return _Reading(root).run(defaults, config_dir, overrides, environ)


class _Reading:
    """One pass over all sources, collecting problems."""

    def __init__(self, root: type[BaseModel]) -> None:
        self._root = root
        self._problems: list[Problem] = []
        self._tree = Branch({}, DEFAULTS)
        self._rank: dict[str, int] = {}
        """Origin → how late it was written; the latest is blamed for a contradiction."""

    def run(
        self,
        defaults: Path,
        config_dir: Path | None,
        overrides: Sequence[str],
        environ: Mapping[str, str],
    ) -> tuple[M, dict[str, str]]:
        for name in self._root.model_fields:
            self._file(defaults / f"{name}.yaml", DEFAULTS, name)
        if config_dir is not None:
            self._directory(config_dir)
        for name in sorted(environ):
            if name.startswith(ENV_PREFIX):
                path = name.removeprefix(ENV_PREFIX).lower().split("__")
                self._override(path, environ[name], f"env {name}")
        for text in overrides:
            key, equals, value = text.partition("=")
            if equals:
                self._override(key.strip().split("."), value.strip(), "--set")
            else:
                self._complain(Problem("--set", text, "no value", "write --set section.key=value"))
        return self._settings()

    # -- sources ---------------------------------------------------------------------------

    def _complain(self, problem: Problem) -> None:
        self._problems.append(problem)

    def _directory(self, directory: Path) -> None:
        if not directory.is_dir():
            what = "is not a directory" if directory.exists() else "does not exist"
            self._complain(Problem(str(directory), "", what, "give --config a directory of YAML"))
            return
        valid = [f"{name}.yaml" for name in self._root.model_fields]
        for path in sorted(directory.iterdir()):
            if path.name.startswith("."):
                continue
            if path.name in valid:
                self._file(path, f"file {directory}/", path.stem)
            else:
                self._complain(
                    Problem(str(path), "", "is no settings file", nearest(path.name, valid))
                )

    def _file(self, path: Path, prefix: str, name: str) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            what = f"byte {error.start} is not UTF-8"
            self._complain(Problem(str(path), "", what, "save the file as UTF-8"))
            return
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            self._complain(Problem(str(path), "", what, "check that it is there and readable"))
            return
        label = f"{prefix}{path.name}"
        node = parse(text, lambda line: f"{label}:{line}", self._complain, name)
        if isinstance(node, Branch):
            self._merge_section(name, node)
        elif node is not None and not (isinstance(node, Leaf) and node.value is None):
            self._complain(
                Problem(f"{label}:1", name, "is not a mapping", "write key: value lines")
            )

    def _merge_section(self, name: str, node: Branch) -> None:
        layer = Branch({name: node}, node.origin, {name: node.origin})
        self._remember(node)
        _merge(self._tree, layer)

    def _override(self, path: list[str], text: str, origin: str) -> None:
        """One value from the environment or the command line, written as YAML."""
        key = ".".join(path)
        if not all(path) or len(path) < 2:
            self._complain(Problem(origin, key, "is no key", "name it section.key"))
            return
        if path[0] not in self._root.model_fields:
            known = nearest(path[0], self._root.model_fields)
            self._complain(Problem(origin, key, f"unknown section {path[0]!r}", known))
            return
        mistakes = len(self._problems)
        node = parse(text, lambda _: origin, self._complain, key)
        if len(self._problems) > mistakes:
            return
        names = _as_written(self._tree, path) if origin.startswith("env ") else path
        layer: Node = node or Leaf(None, "", origin)
        self._remember(layer)
        for name in reversed(names):
            layer = Branch({name: layer}, origin, {name: origin})
        assert isinstance(layer, Branch)
        _merge(self._tree, layer)

    def _remember(self, node: Node) -> None:
        for _, origin in _leaves(node, ""):
            self._rank[origin] = len(self._rank)

    # -- the result ------------------------------------------------------------------------

    def _latest(self, node: Node) -> str:
        """The origin to blame for a node: the last written thing inside it."""
        origins = [origin for _, origin in _leaves(node, "")]
        latest = max(origins, key=lambda o: self._rank.get(o, -1), default=node.origin)
        origin = node.origin if latest.startswith(DEFAULTS) else latest
        return origin.removeprefix("file ")

    def _settings(self) -> tuple[M, dict[str, str]]:
        checker = Checker(self._complain)
        data = checker.section(self._root, self._tree)
        result: BaseModel | None = None
        try:
            result = self._root.model_validate(data)
        except ValidationError as error:
            if not self._problems or not checker.refused:
                self._problems += problems(error, self._tree, checker, self._latest)
            else:
                self._problems += [
                    problem
                    for problem in problems(error, self._tree, checker, self._latest)
                    if problem.what != "is missing"
                ]
        if self._problems or result is None:
            raise ConfigError(report(self._problems))
        return result, dict(_leaves(self._tree, ""))  # type: ignore[return-value]


def report(found: Sequence[Problem]) -> str:
    """All problems, one a line, without the words of origin labels."""
    lines = [str(problem).removeprefix("file ") for problem in found]
    lines = list(dict.fromkeys(lines))
    if len(lines) == 1:
        return lines[0]
    return "\n  ".join([f"{len(lines)} mistakes in the settings:", *lines])


def _merge(into: Branch, layer: Branch) -> None:
    """Lay ``layer`` over ``into``: mappings by key, everything else replaced."""
    for name, node in layer.items.items():
        below = into.items.get(name)
        if isinstance(below, Branch) and isinstance(node, Branch):
            _merge(below, node)
        else:
            into.items[name] = node
        into.origins[name] = layer.origins.get(name, node.origin)


def _as_written(tree: Branch, path: Sequence[str]) -> list[str]:
    """A lower-cased path in the spelling the tree knows (``btc`` → ``BTC``)."""
    names: list[str] = []
    node: Node = tree
    for part in path:
        spelling = part
        if isinstance(node, Branch):
            spelling = next((name for name in node.items if name.lower() == part), part)
            node = node.items.get(spelling, Leaf(None, "", ""))
        names.append(spelling)
    return names


def _leaves(node: Node, key: str) -> list[tuple[str, str]]:
    """Dotted key and origin of every value; a list counts as one value."""
    if not isinstance(node, Branch) or not node.items:
        return [(key, node.origin)]
    found: list[tuple[str, str]] = []
    for name, inner in node.items.items():
        found += _leaves(inner, f"{key}.{name}" if key else name)
    return found
