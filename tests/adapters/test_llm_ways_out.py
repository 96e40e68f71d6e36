"""What leaves the machine for each provider: to the address in the settings only, in its own dialect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.adapters.model_server import ModelServer, settle

ROOT = Path(__file__).parents[2]
#: Model and answer format → how it is held to the schema on the wire.
WAYS = {
    ("openai/gpt-4o", "auto"): "json_schema",
    ("openai/gpt-5", "json_schema"): "json_schema",
    ("openai/anything", "auto"): "json_schema",
    ("openai/anything", "text"): None,
    ("deepseek/deepseek-chat", "auto"): "json_object",
    ("openrouter/openai/gpt-4o", "auto"): "json_schema",
    ("openrouter/meta-llama/llama-3.3-70b-instruct", "auto"): None,
    ("ollama/qwen3", "auto"): "json_schema",
    ("anthropic/claude-sonnet-4-5", "auto"): None,
    ("anthropic/claude-sonnet-4-5", "json_schema"): None,  # said in words of its own
}
#: In a process of its own: what a library fetches once, it fetches at its first use.
SCRIPT = """
import asyncio, json, sys
seen = set()
def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        seen.add(str(arguments[1][0]))
    elif event == "socket.getaddrinfo":
        seen.add(str(arguments[0]))
sys.addaudithook(hook)
from tests.adapters.test_llm_faults import advisor, load_settings, settled
async def main():
    outcomes = []
    for model, form in json.loads(sys.argv[2]):
        told = (f"model: {model}, api_base: '{sys.argv[1]}', api_key_env: '', fallback: [], "
                f"answer_format: {form}, input_price: 1, output_price: 1, deadline: 10")
        changes = ["llm.provider=litellm", f"llm.roles.arbiter={{{told}}}"]
        answer = await settled(advisor(load_settings(None, changes).settings.llm))
        outcomes.append(answer.tries[-1].outcome)
    print(json.dumps([sorted(seen), outcomes]))
asyncio.run(main())
"""


def test_every_provider_is_reached_at_the_address_in_the_settings_and_nobody_else() -> None:
    with ModelServer.running(settle()) as server:
        said = subprocess.run(
            [sys.executable, "-c", SCRIPT, server.base, json.dumps(list(WAYS))],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert said.returncode == 0, said.stderr
    hosts, outcomes = json.loads(said.stdout.splitlines()[-1])
    assert hosts == ["127.0.0.1"]
    assert outcomes == ["valid"] * len(WAYS)
    forms = [(body.get("response_format") or {}).get("type") for body in server.asked]
    assert forms == list(WAYS.values())
    for (model, _), body in zip(WAYS, server.asked, strict=True):
        assert body["model"] == model.partition("/")[2]
        assert body.get("max_tokens", body.get("max_completion_tokens")) == 500
