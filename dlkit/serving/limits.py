"""How much may one request ask for?"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Limits:
    """`body_bytes`: of any request, uploads included. `instances`: rows of one request, and of one CSV file. `pixels`:
    of all pictures of one request, three bytes of memory each however few they are in a file.
    """

    body_bytes: int = 10_000_000
    instances: int = 10_000
    pixels: int = 100_000_000


class BodyLimit:
    """Refuses a body beyond the limit with 413: at once where its length is stated, else while it comes in."""

    def __init__(self, app: ASGIApp, body_bytes: int) -> None:
        self._app = app
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        message = f"The request is larger than {self._body_bytes:,} bytes. Send fewer instances at a time."
        stated = Headers(scope=scope).get("content-length", "")
        if stated.isdigit() and int(stated) > self._body_bytes:
            await JSONResponse({"error": message}, 413)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            part = await receive()
            received += len(part.get("body", b""))
            if received > self._body_bytes:
                raise HTTPException(413, message)
            return part

        await self._app(scope, counted, send)
