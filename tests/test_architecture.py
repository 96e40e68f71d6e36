"""The house rules that a machine can check: floors, purity, who may construct an approved order."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tradeterm"
MAX_LINES = 450
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "manager2"}
#: Floors 0-3. Time is an input there, randomness is keyed, nothing is read or awaited.
PURE_ROOMS = (
    "model", "market", "agents", "coordinator", "risk", "execution", "portfolio", "engine",
)  # fmt: skip
IMPURE_MODULES = {
    "asyncio", "glob", "http", "multiprocessing", "os", "pathlib", "random", "requests", "secrets",
    "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time",
    "urllib", "uuid", "aiosqlite", "ccxt", "litellm", "platformdirs",
}  # fmt: skip
#: Calls that read the wall clock, the outside, or the interpreter's own moods.
IMPURE_CALLS = {"now", "utcnow", "today", "open", "input", "hash", "id"}
CORE = (
    "tradeterm.logs", "tradeterm.model", "tradeterm.market", "tradeterm.settings",
    "tradeterm.agents", "tradeterm.coordinator", "tradeterm.risk", "tradeterm.execution",
    "tradeterm.portfolio", "tradeterm.engine", "tradeterm.adapters",
)  # fmt: skip


def sources(*rooms: str) -> list[Path]:
    """The files of some rooms, or of the whole package."""
    folders = [PACKAGE / room for room in rooms] or [PACKAGE]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def calls(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """(last part of the called name, the call)."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr, node


def imported(module: ast.Module) -> Iterator[str]:
    """Top-level packages a module imports, anywhere in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_imports_go_downward_only() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()",
               "--no-cache"]  # fmt: skip
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_core_never_loads_the_screen() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources()
    ]
    core = [name for name in modules if name.startswith(CORE)]
    code = (
        "import importlib, sys\n"
        f"for name in {core!r}: importlib.import_module(name)\n"
        "loaded = {'textual', 'rich', 'plotext', 'ccxt', 'litellm', 'pyarrow'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_only_risk_constructs_an_approved_order() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sources()
        if path.parent.name != "risk"
        for name, call in calls(tree(path))
        if name == "ApprovedOrder"
    ]
    assert not guilty
    assert any(n == "ApprovedOrder" for path in sources("risk") for n, _ in calls(tree(path)))


def test_nothing_runs_code_from_data() -> None:
    guilty = []
    for path in sources():
        module = tree(path)
        guilty += [
            f"{path}: imports {m}"
            for m in imported(module)
            if m in {"pickle", "marshal", "shelve", "dill"}
        ]
        guilty += [
            f"{path}:{call.lineno}: {name}()"
            for name, call in calls(module)
            if name in {"eval", "exec", "__import__", "unsafe_load", "full_load"}
            and isinstance(call.func, ast.Name | ast.Attribute)
        ]
    assert not guilty


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_floors_below_the_edge_are_pure(room: str) -> None:
    guilty = []
    for path in sources(room):
        module = tree(path)
        guilty += [
            f"{path.name}: imports {name}" for name in imported(module) if name in IMPURE_MODULES
        ]
        guilty += [
            f"{path.name}:{call.lineno}: {name}()"
            for name, call in calls(module)
            if name in IMPURE_CALLS and _is_impure(name, call)
        ]
        guilty += [
            f"{path.name}:{node.lineno}: awaits"
            for node in ast.walk(module)
            if isinstance(node, ast.Await)
        ]
    assert not guilty


def _is_impure(name: str, call: ast.Call) -> bool:
    """``open()`` and ``hash()`` as builtins, ``now()`` as a method of a datetime."""
    if isinstance(call.func, ast.Name):
        return name in {"open", "input", "hash", "id"}
    assert isinstance(call.func, ast.Attribute)
    owner = call.func.value
    return name in {"now", "utcnow", "today"} and isinstance(owner, ast.Name) and owner.id in {
        "datetime", "date",
    }  # fmt: skip


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*sources(), *sorted((ROOT / "tests").rglob("*.py"))]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long


def test_names_say_what_is_inside() -> None:
    paths = [*PACKAGE.rglob("*"), *(ROOT / "tests").rglob("*.py")]
    assert not [path for path in paths if path.stem in FORBIDDEN_NAMES]


def test_every_error_is_of_the_tree() -> None:
    """Nothing raises a bare Exception, and nothing swallows one without a word."""
    guilty = []
    for path in sources():
        for node in ast.walk(tree(path)):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                called = node.exc.func
                if isinstance(called, ast.Name) and called.id in {"Exception", "BaseException"}:
                    guilty.append(f"{where}: raises {called.id}")
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    guilty.append(f"{where}: bare except")
                elif (
                    isinstance(node.type, ast.Name)
                    and node.type.id in {"Exception", "BaseException"}
                    and all(isinstance(line, ast.Pass) for line in node.body)
                ):
                    guilty.append(f"{where}: swallows everything")
    assert not guilty


def test_locks_name_no_host_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in pin for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)


#: What reads markup or escape sequences out of a string, and widgets that do unless told not to.
MARKUP = {
    "from_markup", "from_ansi", "render_markup", "from_text", "from_rich_text", "Static", "Label",
    "Button", "Markdown", "RichLog", "Link", "Tooltip", "notify", "tooltip", "border_title",
    "border_subtitle",
}  # fmt: skip


def test_the_screen_builds_no_markup_from_data() -> None:
    """Lines are (text, role); nothing that interprets a string is within reach."""
    guilty = []
    for path in sources("tui"):
        for node in ast.walk(tree(path)):
            name = getattr(node, "attr", None) or getattr(node, "id", None) or (
                node.arg if isinstance(node, ast.keyword) else None
            )  # fmt: skip
            if name in MARKUP or name == "markup":
                guilty.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '')} {name}")
    assert not guilty
