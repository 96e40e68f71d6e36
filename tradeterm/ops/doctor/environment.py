"""Settings, keys, and what in the environment changes how the program behaves."""

from __future__ import annotations

import re
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tradeterm.adapters.advisors.keys import find_key
from tradeterm.errors import ConfigError
from tradeterm.model.text import clean
from tradeterm.ops.doctor.finding import Finding, judged
from tradeterm.settings.llm import EndpointSettings, LlmSettings
from tradeterm.settings.loading import ENV_PREFIX

#: What bends where requests go or what they trust, and what runs other code in our process.
ROUTES: Final = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "OPENAI_BASE_URL", "OPENAI_API_BASE",
    "ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE", "DEEPSEEK_API_BASE", "LITELLM_PROXY_API_BASE",
)  # fmt: skip
LOADERS: Final = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP",
    "PYTHONHOME", "PYTHONINSPECT",
)  # fmt: skip
#: .pth lines that run code and belong to well-known tools, by the module they import.
KNOWN_PTH: Final = frozenset(
    {"os", "sys", "_virtualenv", "distutils-precedence", "a1_coverage", "coverage", "pytest_cov"}
)
_IMPORT = re.compile(r"^import[ \t]+([\w.-]+)|^import[ \t]")
_EDITABLE = re.compile(r"^__editable___[\w]+_finder$|^_editable_impl_[\w]+$")


def look_at_environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What was set from outside, each thing that counts with its value (no secrets)."""
    yield _overrides(environ)
    yield _routes(environ)
    yield _loaders(environ)
    yield startup_code(_site_folders())


def _overrides(environ: Mapping[str, str]) -> Finding:
    names = sorted(name for name in environ if name.startswith(ENV_PREFIX))
    shown = [f"{name}={clean(environ[name], 60)}" for name in names]
    return Finding("overrides", "ok", ", ".join(shown) or f"no {ENV_PREFIX}… is set")


def _routes(environ: Mapping[str, str]) -> Finding:
    found = {
        name: environ[each] for name in ROUTES for each in (name, name.lower()) if environ.get(each)
    }
    shown = ", ".join(f"{name}={_without_password(value)}" for name, value in found.items())
    proxied = any("PROXY" in name and name != "NO_PROXY" for name in found)
    remedy = "unset what you did not set yourself" + (
        "; tradeterm asks no proxy, so where one is the only way out no host can be reached"
        if proxied
        else ""
    )
    return judged("routes", shown or "none", ok=not found, fatal=False, remedy=remedy)


def _loaders(environ: Mapping[str, str]) -> Finding:
    found = [f"{name}={clean(environ[name], 80)}" for name in LOADERS if environ.get(name)]
    return judged(
        "loaders", ", ".join(found) or "none", ok=not found, fatal=False,
        remedy="other code is loaded into this program: unset what you did not set yourself",
    )  # fmt: skip


def _without_password(value: str) -> str:
    """An address without who may use it."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return "an address that is none"
    if "@" in parts.netloc:
        return clean(parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}").geturl(), 80)
    return clean(value, 80)


# -- code that runs before ours ------------------------------------------------------------


def _site_folders() -> list[Path]:
    folders = [
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    ]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return list(dict.fromkeys(Path(folder) for folder in folders))


def startup_code(folders: list[Path]) -> Finding:
    """``.pth`` lines that run code, and sitecustomize: how poisoned packages got their start."""
    odd: list[str] = []
    for folder in folders:
        for file in sorted(folder.glob("*.pth")):
            odd += [f"{file.name}: {line}" for line in _strange_lines(file)]
        for name in ("sitecustomize.py", "usercustomize.py"):
            if (folder / name).exists():
                odd.append(str(folder / name))
    return judged(
        "start-up code", "; ".join(odd) or "nothing unknown runs before the program", ok=not odd,
        fatal=False, remedy="look at these files; remove what no tool you installed explains "
        f"(python {'.'.join(map(str, sys.version_info[:2]))} -I -S -m site shows the folders)",
    )  # fmt: skip


def _strange_lines(file: Path) -> Iterator[str]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        yield f"cannot be read ({error.strerror})"
        return
    for line in lines:
        found = _IMPORT.match(line)
        if found is None:
            continue
        module = found.group(1) or ""
        harmless = module in KNOWN_PTH and len(line) < 400 and file.stem in _TOOLS
        if not (harmless or _EDITABLE.match(module)):
            yield clean(line, 100)


_TOOLS: Final = frozenset(
    {"_virtualenv", "distutils-precedence", "a1_coverage", "pytest-cov", "matplotlib"}
)


# -- settings and keys ---------------------------------------------------------------------


def look_at_keys(
    settings: LlmSettings, environ: Mapping[str, str], env_file: Path
) -> Iterator[Finding]:
    """Whether each model's key is there; never the key."""
    if settings.provider == "rules":
        yield Finding("keys", "ok", "no model is asked (llm.provider is rules): none is needed")
        return
    for name, endpoint in _named(settings).items():
        remedy = f"put {name} into the environment, {env_file} (chmod 600) or the keyring"
        try:
            ok = find_key(name, environ, env_file) is not None
        except ConfigError as error:
            yield Finding(name, "fail", str(error), remedy)
            continue
        text = f"for {endpoint.model}: {'present' if ok else 'absent'}"
        yield judged(name, text, ok=ok, remedy=remedy)


def endpoints(settings: LlmSettings) -> Iterator[EndpointSettings]:
    """Every model of every role."""
    for name in settings.role_names():
        yield from settings.role(name).endpoints


def _named(settings: LlmSettings) -> dict[str, EndpointSettings]:
    return {one.api_key_env: one for one in endpoints(settings) if one.api_key_env}
