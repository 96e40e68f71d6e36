"""Language models through litellm, on a thread and loop of their own.

litellm takes seconds to import, so that happens on the thread, once, and only when a model is
configured. Its retries, callbacks, log handlers, ``.env`` loading and price download are off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from concurrent.futures import Future
from decimal import Decimal
from functools import cache
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from tradeterm.adapters.advisors.formats import response_format
from tradeterm.adapters.advisors.keys import find_key
from tradeterm.adapters.advisors.wire import Guard, Wire, guarded
from tradeterm.errors import ConfigError
from tradeterm.logs import HIDDEN, quiet_others
from tradeterm.model.ports import ModelCall, ModelReply
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import TryOutcome

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

#: Reached through its OpenAI-compatible door: litellm's own adapter sends unguarded requests.
OLLAMA: Final = "ollama"
#: Reached through the OpenAI SDK; the others through litellm's own handler.
OPENAI: Final = "openai"
#: Adds its own version to an address.
ANTHROPIC: Final = "anthropic"
MILLION: Final = Decimal(1_000_000)
#: No tokenizer is right for every model: three bytes a token is more than any of them needs.
BYTES_PER_TOKEN: Final = 3
MOST_TOKENS: Final = 10_000_000
FAULT_LIMIT: Final = 300
#: What a provider would say, in each of the two dialects.
REHEARSALS: Final[dict[str, dict[str, Any]]] = {
    "openai/-": {
        "id": "-", "object": "chat.completion", "created": 1, "model": "-",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "-"}}],
    },
    "anthropic/-": {
        "id": "-", "type": "message", "role": "assistant", "model": "-", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "-"}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}  # fmt: skip
#: Set before the import, which reads them: nothing is fetched, nothing is looked for.
SWITCHES: Final = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
}


class LitellmModels:
    """The port over litellm."""

    def __init__(self, env_file: Path) -> None:
        """Loads nothing yet: ``begin`` does."""
        self._env_file = env_file

    def begin(self) -> None:
        """Load litellm, on a thread; ``ready`` waits for it."""
        _loaded()

    async def ready(self) -> str:
        """When litellm is loaded; why it cannot be, otherwise."""
        waiting = asyncio.wrap_future(_loaded())
        await asyncio.wait({waiting})
        failure = waiting.exception()
        return "" if failure is None else f"litellm cannot be loaded: {clean(str(failure), 120)}"

    def estimate(self, call: ModelCall) -> Decimal | None:
        """Prompt and longest answer at the model's prices."""
        prices = _prices(call)
        if prices is None:
            return None
        size = sum(len(text.encode()) for _, text in call.messages)
        return _cost(prices, size // BYTES_PER_TOKEN + 1, call.max_tokens)

    async def ask(self, call: ModelCall, seconds: float) -> ModelReply:
        """One HTTP request; whatever happens is a reply."""
        started = perf_counter_ns()
        try:
            key = await self._key(call.key_name)
        except ConfigError as error:
            return ModelReply(TryOutcome.NO_KEY, "", 0, cost=Decimal(0), fault=str(error))
        if call.key_name and key is None and not call.local:
            where = f"{call.key_name} is neither in the environment nor in .env nor in the keyring"
            return ModelReply(TryOutcome.NO_KEY, "", 0, cost=Decimal(0), fault=where)
        seconds -= (perf_counter_ns() - started) / SECOND
        wire = Wire(call.address)
        request = asyncio.run_coroutine_threadsafe(_send(call, key, wire, seconds), _loop())
        # asyncio.wait, not wait_for: a request that will not be cancelled is left behind.
        waiting = asyncio.wrap_future(request)
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            request.cancel()
        latency = perf_counter_ns() - started
        if not waiting.done() or waiting.cancelled():
            waiting.cancel()
            return _told(
                call, key, wire, latency, TryOutcome.TIMEOUT, f"no answer in {seconds:.1f} s"
            )
        failure = waiting.exception()
        if failure is not None:
            return _told(call, key, wire, latency, *_failure(failure, wire, seconds))
        try:
            return _answered(call, key, wire, latency, waiting.result())
        except (AttributeError, IndexError, TypeError, ValueError) as strange:
            fault = f"the body is no answer of a model ({type(strange).__name__})"
            return _told(call, key, wire, latency, TryOutcome.FAILED, fault)

    async def _key(self, name: str) -> str | None:
        """Off the loop: a keyring may take its time."""
        if not name:
            return None
        return await asyncio.to_thread(find_key, name, os.environ, self._env_file)

    def finish(self) -> None:
        """Nothing is left over."""


# -- the thread ------------------------------------------------------------------------------


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop on which requests run, in a thread that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="llm", daemon=True).start()
    return loop


@cache
def _loaded() -> Future[Any]:
    """litellm, loading or loaded: once per process."""
    found: Future[Any] = Future()
    threading.Thread(target=_load, args=(found,), name="llm-import", daemon=True).start()
    return found


def _load(found: Future[Any]) -> None:
    try:
        os.environ.update(SWITCHES)
        import litellm

        litellm.suppress_debug_info = True
        litellm.telemetry = False
        litellm.turn_off_message_logging = True
        litellm.disable_aiohttp_transport = True
        quiet_others()
        asyncio.run_coroutine_threadsafe(_rehearsed(litellm), _loop()).result()
    except BaseException as error:
        log.exception("litellm cannot be loaded")
        found.set_exception(error)
    else:
        found.set_result(litellm)


# -- one request -----------------------------------------------------------------------------


async def _send(call: ModelCall, key: str | None, wire: Wire, seconds: float) -> Any:
    async with guarded(wire) as guard, asyncio.timeout(seconds):
        return await _complete(_loaded().result(), call, key, guard, seconds)


async def _complete(
    litellm: Any, call: ModelCall, key: str | None, guard: Guard, seconds: float
) -> Any:
    provider, _, name = call.model.partition("/")
    if provider == OLLAMA:
        provider = OPENAI
    return await litellm.acompletion(
        model=f"{provider}/{name}",
        messages=[{"role": role, "content": text} for role, text in call.messages],
        api_base=call.address.removesuffix("/v1") if provider == ANTHROPIC else call.address,
        api_key=key or "none",
        temperature=call.temperature,
        max_tokens=call.max_tokens,
        timeout=seconds,
        num_retries=0,
        max_retries=0,
        drop_params=True,
        client=_client(provider, call, key, guard, seconds),
        **response_format(call.answer_format, call.role, call.schema),
    )


async def _rehearsed(litellm: Any) -> None:
    """One answer in each dialect, out of memory: what litellm imports on its first use costs as
    long again as loading it, and no question should pay for that.
    """
    for model, body in REHEARSALS.items():
        wire = Wire("http://127.0.0.1")
        call = ModelCall(
            "-", "-", model, wire.address, "", (("user", "-"),), {}, 0.0, 50, local=True
        )
        await _complete(litellm, call, None, Guard(_Canned(body), wire), 60)


class _Canned:
    """An httpx transport that reaches nobody."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        import httpx

        return httpx.Response(200, json=self._body, request=request)

    async def aclose(self) -> None:
        """Nothing is open."""


def _client(provider: str, call: ModelCall, key: str | None, guard: Guard, seconds: float) -> Any:
    if provider == OPENAI:
        import httpx
        from openai import AsyncOpenAI

        way_out = httpx.AsyncClient(
            transport=guard,  # type: ignore[arg-type]  # all that httpx calls is there
            follow_redirects=False,
            trust_env=False,
        )
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=call.address,
            http_client=way_out,
            max_retries=0,
            timeout=seconds,
        )
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    return AsyncHTTPHandler(
        timeout=seconds,
        transport=guard,  # type: ignore[arg-type]  # likewise
        follow_redirects=False,
    )


def _failure(error: BaseException, wire: Wire, seconds: float) -> tuple[TryOutcome, str]:
    """What went wrong: the wire knows better than litellm's exceptions."""
    if wire.strange:
        return TryOutcome.FAILED, wire.strange
    if wire.too_large:
        return TryOutcome.TOO_LARGE, "the answer was cut at 64 kB"
    if isinstance(error, TimeoutError):
        return TryOutcome.TIMEOUT, f"no answer in {seconds:.1f} s"
    if wire.status == 429:
        return TryOutcome.LIMITED, "HTTP 429: rate limit or quota"
    if wire.status in (401, 403):
        return TryOutcome.DENIED, f"HTTP {wire.status}: the key is not accepted"
    if wire.status >= 300:
        return TryOutcome.FAILED, f"HTTP {wire.status}"
    if wire.status and not wire.complete:
        return TryOutcome.CUT, "the connection broke inside the answer"
    if wire.status:
        return TryOutcome.FAILED, "the body is no answer of a model"
    if wire.sent:
        return TryOutcome.FAILED, "the connection was closed without an answer"
    return TryOutcome.UNREACHABLE, f"no connection ({type(error).__name__})"


def _answered(
    call: ModelCall, key: str | None, wire: Wire, latency: int, response: Any
) -> ModelReply:
    choices = list(response.choices or ())
    if not choices:
        return _told(call, key, wire, latency, TryOutcome.EMPTY, "the answer holds no choices")
    text, finish = choices[0].message.content, choices[0].finish_reason
    if finish == "content_filter" or getattr(choices[0].message, "refusal", None):
        return _told(call, key, wire, latency, TryOutcome.REFUSED, "the model refused to answer")
    if finish == "length" or _unfinished(wire):
        fault = f"the answer was cut short; it may have {call.max_tokens} tokens"
        return _told(call, key, wire, latency, TryOutcome.CUT, fault, text)
    if not isinstance(text, str) or not text.strip():
        return _told(call, key, wire, latency, TryOutcome.EMPTY, "the answer is empty")
    return _told(call, key, wire, latency, TryOutcome.VALID, "", text)


def _told(
    call: ModelCall,
    key: str | None,
    wire: Wire,
    latency: int,
    outcome: TryOutcome,
    fault: str,
    text: str | None = None,
) -> ModelReply:
    """The reply, without the key whoever repeats it, with what the body says about itself."""
    body = _body(wire)
    used = body.get("usage")
    used = used if isinstance(used, dict) else {}
    counted = (
        _count(used, "prompt_tokens", "input_tokens"),
        _count(used, "completion_tokens", "output_tokens"),
    )
    prices, known = _prices(call), None not in counted
    cost = None
    if prices is not None and known:
        cost = _cost(prices, counted[0] or 0, counted[1] or 0)
    elif not wire.sent or wire.status >= 300:
        cost = Decimal(0)  # nothing was generated
    shown = text if text is not None else bytes(wire.body).decode("utf-8", "replace")
    model = body.get("model")
    return ModelReply(
        outcome=outcome,
        text=shown.replace(key, HIDDEN) if key else shown,
        latency=latency,
        echoed=clean(model, 80) if isinstance(model, str) else "",
        tokens_in=counted[0] or 0,
        tokens_out=counted[1] or 0,
        cost=cost,
        retry_after=wire.retry_after,
        fault=clean(fault, FAULT_LIMIT),
    )


def _body(wire: Wire) -> dict[str, Any]:
    try:
        found = json.loads(bytes(wire.body))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _unfinished(wire: Wire) -> bool:
    """Whether the provider does not say that the answer ended; litellm calls that normal."""
    body = _body(wire)
    if "content" in body:  # Anthropic's dialect
        return body.get("stop_reason") is None
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return False
    return choices[0].get("finish_reason") is None


def _count(used: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = used.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return value
    return None


# -- prices ----------------------------------------------------------------------------------


def _prices(call: ModelCall) -> tuple[Decimal, Decimal] | None:
    """USD per million tokens in and out: each the settings', else litellm's table's."""
    into, out = call.prices
    if into is None or out is None:
        table = _loaded().result().model_cost
        found = table.get(call.model) or table.get(call.model.partition("/")[2]) or {}
        into = _listed(found, "input_cost_per_token") if into is None else into
        out = _listed(found, "output_cost_per_token") if out is None else out
    return None if into is None or out is None else (into, out)


def _listed(found: dict[str, Any], name: str) -> Decimal | None:
    return None if found.get(name) is None else Decimal(str(found[name])) * MILLION


def _cost(prices: tuple[Decimal, Decimal], tokens_in: int, tokens_out: int) -> Decimal:
    exact = (prices[0] * tokens_in + prices[1] * tokens_out) / MILLION
    return exact.quantize(Decimal("1e-8"))
