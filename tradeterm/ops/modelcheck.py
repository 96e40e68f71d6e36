"""One tiny request to every model of every role: does it answer, how fast, at what price."""

from __future__ import annotations

from typing import Any, Final

from tradeterm.adapters.advisors.formats import answer_format
from tradeterm.adapters.advisors.litellm_models import LitellmModels
from tradeterm.adapters.advisors.opening import ENV_FILE
from tradeterm.model.ports import ModelCall, ModelReply
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import TryOutcome
from tradeterm.settings.llm import EndpointSettings, LlmSettings, RoleSettings

PING: Final = (("user", 'Answer with the JSON object {"ok": true} and nothing else.'),)
SCHEMA: Final = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
#: One small object.
TOKENS: Final = 50
REMEDIES: Final = {
    TryOutcome.NO_KEY: "put the key into the environment, .env (chmod 600) or the keyring",
    TryOutcome.DENIED: "the key is wrong, expired or not allowed this model: look at {key}",
    TryOutcome.LIMITED: "wait, or raise the provider's quota",
    TryOutcome.UNREACHABLE: "is something running at {address}? look at api_base and the network",
    TryOutcome.TIMEOUT: "raise llm.roles.{role}.deadline, or choose a faster model",
    TryOutcome.FAILED: "look at the model's name and at api_base ({address})",
    TryOutcome.EMPTY: "the model answers nothing: choose another",
    TryOutcome.CUT: f"it needs more than {TOKENS} tokens to say ok: choose one that says less",
    TryOutcome.TOO_LARGE: "{address} does not answer like a model: look at api_base",
    TryOutcome.REFUSED: "the provider's filter refuses the simplest question: choose another",
}
NO_PRICE: Final = "set input_price and output_price: without a price it is never asked"


async def check_models(settings: LlmSettings) -> list[dict[str, Any]]:
    """Role by role, in the order in which they would be asked."""
    models = LitellmModels(ENV_FILE)
    unable = await models.ready()
    if unable:
        remedy = "install the packages of requirements.lock again"
        return [{"what": "litellm", "ok": False, "found": unable, "remedy": remedy}]
    roles = {name: settings.role(name) for name in settings.role_names()}
    found: list[dict[str, Any]] = []
    if ruled := [name for name, role in roles.items() if not role.panel]:
        told = f"no model: {', '.join(ruled)}"
        found.append({"what": "rules", "ok": True, "found": told})
    for name, role in roles.items():
        found += [await _check(models, name, role, endpoint) for endpoint in role.endpoints]
    return found


async def _check(
    models: LitellmModels, name: str, role: RoleSettings, endpoint: EndpointSettings
) -> dict[str, Any]:
    call = ModelCall(
        role=name,
        prompt="ping",
        model=endpoint.model,
        address=endpoint.address,
        key_name=endpoint.api_key_env,
        messages=PING,
        schema=SCHEMA,
        temperature=role.temperature,
        max_tokens=TOKENS,
        answer_format=answer_format(endpoint),
        local=endpoint.is_local,
        prices=(endpoint.input_price, endpoint.output_price),
    )
    reply = await models.ask(call, role.deadline)
    priced = endpoint.is_local or models.estimate(call) is not None
    pinned = endpoint.pin in ("", reply.echoed)
    ok = reply.outcome is TryOutcome.VALID and priced and pinned
    remedy = ""
    if reply.outcome is not TryOutcome.VALID:
        remedy = REMEDIES[reply.outcome].format(
            key=endpoint.api_key_env or "api_key_env", address=endpoint.address, role=name
        )
    elif not priced:
        remedy = NO_PRICE
    elif not pinned:
        remedy = f"pinned to {endpoint.pin}: ask for that model, or change pin"
    return {
        "what": name,
        "ok": ok,
        "model": endpoint.model,
        "found": f"{endpoint.model}: {_found(reply)}",
        "seconds": round(reply.latency / SECOND, 3),
        "cost": None if reply.cost is None else f"{reply.cost:f}",
        "remedy": remedy,
    }


def _found(reply: ModelReply) -> str:
    if reply.outcome is not TryOutcome.VALID:
        return reply.fault
    price = "price unknown" if reply.cost is None else f"${reply.cost:f}"
    echoed = f", says it is {reply.echoed}" if reply.echoed else ""
    return f"answers in {reply.latency / SECOND:.2f} s, {price}{echoed}"
