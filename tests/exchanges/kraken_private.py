"""The private part of the Kraken-compatible server: signature, nonce, rate, as documented.

API-Sign = base64(HMAC-SHA512(path + SHA256(nonce + body), base64-decoded secret)); a nonce is larger
than the one before it. Nothing of the product asks for it: that is what it is there to show.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs

from aiohttp import web

KEY = "a-key-for-tests"
SECRET = base64.b64encode(b"a secret for tests").decode()


class PrivatePart:
    """One account; ``budget`` calls until its rate limit."""

    def __init__(self, budget: int = 1_000) -> None:
        self.budget = budget
        self.asked: list[str] = []
        """Paths of all requests, refused ones included."""
        self._nonce = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One POST; an error as Kraken writes it, status 200."""
        self.asked.append(request.path)
        body = await request.text()
        error = self._refusal(request, body)
        if error:
            return web.json_response({"error": [error]})
        return web.json_response({"error": [], "result": {"ZUSD": "100.0000", "XXBT": "0.5"}})

    def _refusal(self, request: web.Request, body: str) -> str:
        if request.headers.get("API-Key") != KEY:
            return "EAPI:Invalid key"
        nonce = parse_qs(body).get("nonce", [""])[0]
        if request.headers.get("API-Sign") != signature(request.path, nonce, body):
            return "EAPI:Invalid signature"
        if not nonce.isdigit() or int(nonce) <= self._nonce:
            return "EAPI:Invalid nonce"
        self._nonce = int(nonce)
        self.budget -= 1
        return "EAPI:Rate limit exceeded" if self.budget < 0 else ""


def signature(path: str, nonce: str, body: str) -> str:
    """What API-Sign must be."""
    told = path.encode() + hashlib.sha256((nonce + body).encode()).digest()
    mac = hmac.new(base64.b64decode(SECRET), told, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()
