"""The board's web service: what learners' checks send, and the pages that show it.

All that comes in is untrusted: a request is small, has a known form, and carries a signed token. The pages insert every
text as text, and their policy allows only the board's own script and style.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.resources import files
from typing import Any, Literal, Protocol

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..pages.assets import asset
from .state import Board, Refused

_LARGEST_BODY = 4096  # bytes
_SLOWEST_BODY = 5.0  # seconds
_MOST_WATCHERS = 50  # pages that are open
_AT_LEAST_EVERY = 5.0  # seconds between two messages to a page: time passes, too
_AT_MOST_EVERY = 0.3  # seconds
_ASK_AGAIN_AFTER = 500  # milliseconds, for a page that has lost its board
_COOKIE, _STATE = "board", "board-sign-in"
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_PAGES = {"teacher": "teacher.html", "projector": "projector.html", "class": "class.html"}
_Handler = Callable[[Request], Awaitable[Response]]


class SignIn(Protocol):
    """Where teachers sign in, in place of the link with the key."""

    def address(self, state: str) -> str: ...

    async def may_teach(self, code: str) -> bool: ...


def service(board: Board, prefix: str = "", hub: SignIn | None = None) -> Starlette:
    """Return the web application of a board.

    Args:
        hub: where teachers sign in, on a JupyterHub.
        prefix: the path below which it is served, such as "/services/board"; "" for the whole host.
    """
    watchers = _Watchers(board)

    async def join(request: Request) -> Response:
        code = (await _body(request)).get("code")
        return JSONResponse({"token": board.join(code, request.client.host if request.client else "")})

    async def report(request: Request) -> Response:
        await board.report(_token(request), await _body(request))
        return JSONResponse({})

    async def call_for_help(request: Request) -> Response:
        return JSONResponse({"place": await board.call_for_help(_token(request), await _body(request))})

    async def take_back(request: Request) -> Response:
        await board.take_back(_token(request))
        return JSONResponse({})

    async def class_state(_: Request) -> Response:
        return JSONResponse(board.for_learners())

    async def sign_in(request: Request) -> Response:
        """Keep the key of the teacher's link in a cookie, so that it stands in no address that a projector shows."""
        key = request.query_params.get("key", "")
        if not board.is_teacher(key):
            raise HTTPException(403, "This is not the teacher's link: `autograder board` prints it.")
        return signed_in(request)

    def signed_in(request: Request) -> Response:
        answer = RedirectResponse(f"{prefix}/teacher", 303)
        keep(answer, request, _COOKIE, board.teacher_key, "strict")
        return answer

    def keep(answer: Response, request: Request, name: str, value: str, same_site: Literal["strict", "lax"]) -> None:
        answer.set_cookie(name, value, path=f"{prefix}/", httponly=True, samesite=same_site, secure=_by_https(request))

    async def from_hub(request: Request) -> Response:
        """Where the hub sends a browser that has signed in there."""
        state = request.cookies.get(_STATE, "")
        same = state and hmac.compare_digest(state.encode(), request.query_params.get("state", "").encode())
        if hub is None or not same or not await hub.may_teach(request.query_params.get("code", "")):
            raise HTTPException(403, "Only teachers of this class see the board.")
        return signed_in(request)

    async def answer_call(request: Request) -> Response:
        await board.answer(str((await _body(request)).get("id")))
        return JSONResponse({})

    async def pin(request: Request) -> Response:
        await board.pin(str((await _body(request)).get("exercise", "")))
        return JSONResponse({})

    async def begin_lesson(request: Request) -> Response:
        await _body(request)
        await board.begin_lesson()
        return JSONResponse({})

    async def show(request: Request) -> Response:
        await board.show_to_learners(shown=(await _body(request)).get("shown") is True)
        return JSONResponse({})

    async def teacher_events(_: Request) -> Response:
        return watchers.stream(for_teacher)

    async def projector_events(_: Request) -> Response:
        return watchers.stream(board.for_projector)

    def for_teacher() -> dict[str, Any]:
        return {**board.for_teacher(), "on_a_hub": hub is not None}

    async def healthy(_: Request) -> Response:
        return JSONResponse({"board": "many-heads"})

    def for_teachers(handler: _Handler) -> _Handler:
        async def checked(request: Request) -> Response:
            # A page of another address in the same domain may send the cookie, but JSON only with this board's consent.
            if request.method == "POST" and request.headers.get("content-type") != "application/json":
                raise HTTPException(415, "not JSON")
            if board.is_teacher(request.cookies.get(_COOKIE, "")):
                return await handler(request)
            if hub is None or request.method != "GET":
                raise HTTPException(403, "Open the teacher's link first: `autograder board` prints it.")
            state = secrets.token_urlsafe(24)
            answer = RedirectResponse(hub.address(state), 303)
            keep(answer, request, _STATE, state, "lax")
            return answer

        return checked

    routes = [
        Route("/join", join, methods=["POST"]),
        Route("/report", report, methods=["POST"]),
        Route("/help", call_for_help, methods=["POST"]),
        Route("/help", take_back, methods=["DELETE"]),
        Route("/class.json", class_state),
        Route("/health", healthy),
        Route("/", _page("class")),
        Route("/sign-in", sign_in),
        Route("/oauth_callback", from_hub),
        Route("/teacher", for_teachers(_page("teacher"))),
        Route("/projector", for_teachers(_page("projector"))),
        Route("/teacher/events", for_teachers(teacher_events)),
        Route("/projector/events", for_teachers(projector_events)),
        Route("/teacher/answer", for_teachers(answer_call), methods=["POST"]),
        Route("/teacher/pin", for_teachers(pin), methods=["POST"]),
        Route("/teacher/show", for_teachers(show), methods=["POST"]),
        Route("/teacher/lesson", for_teachers(begin_lesson), methods=["POST"]),
        *(Route(f"/{name}", _asset(name)) for name in ("board.css", "board.js", "class.js")),
    ]

    @contextlib.asynccontextmanager
    async def telling(_: Starlette) -> AsyncGenerator[None]:
        told = asyncio.create_task(watchers.tell())
        yield
        told.cancel()
        watchers.close()

    app = Starlette(
        routes=[Mount(prefix, routes=routes)] if prefix else routes,
        lifespan=telling,
        middleware=[Middleware(_SafeHeaders)],
        exception_handlers={Refused: _refused, SQLAlchemyError: _unwritten, ClientDisconnect: _gone},
    )
    app.state.end_streams = watchers.close
    return app


class _Watchers:
    """The open pages: each gets the state when it connects, and then at each change."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._news: set[asyncio.Event] = set()
        self._messages: dict[Callable[[], dict[str, Any]], str] = {}  # since the last change
        self._closed = False

    async def tell(self) -> None:
        """Wake the pages at each change, at most a few times a second, and now and then without one."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._board.changed.wait(), _AT_LEAST_EVERY)
            self._board.changed.clear()
            self._wake()
            await asyncio.sleep(_AT_MOST_EVERY)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closed = True
        self._wake()

    def stream(self, state: Callable[[], dict[str, Any]]) -> Response:
        """Return a stream of server-sent events with what `state` returns.

        Raises:
            HTTPException: if too many pages are open.
        """
        if len(self._news) >= _MOST_WATCHERS:
            raise HTTPException(503, "Too many pages are open.")
        news = asyncio.Event()
        self._news.add(news)

        async def events() -> AsyncGenerator[str]:
            try:
                while not self._closed:
                    yield self._message(state)  # computed once for all its pages
                    await news.wait()
                    news.clear()
            finally:
                self._news.discard(news)

        return StreamingResponse(events(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    def _message(self, state: Callable[[], dict[str, Any]]) -> str:
        """Return the message with what `state` returns now, and how soon a page without its board asks again."""
        if state not in self._messages:
            self._messages[state] = f"data: {json.dumps(state())}\nretry: {_ASK_AGAIN_AFTER}\n\n"
        return self._messages[state]

    def _wake(self) -> None:
        self._messages.clear()
        for news in self._news:
            news.set()


class _SafeHeaders:
    """Adds to every answer what keeps browsers from running, framing or caching anything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in _HEADERS.items()),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


async def _body(request: Request) -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        HTTPException: if it is too large, too slow or not one.
    """
    received = b""
    try:
        async with asyncio.timeout(_SLOWEST_BODY):
            async for chunk in request.stream():
                received += chunk
                if len(received) > _LARGEST_BODY:
                    raise HTTPException(413, "too large")
    except TimeoutError:
        raise HTTPException(408, "too slow") from None
    try:
        sent = json.loads(received)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise HTTPException(400, "not a JSON object")
    return sent


def _by_https(request: Request) -> bool:
    """Return whether the browser speaks https, with a proxy or, on a hub, with the first of two."""
    said = request.headers.get("x-scheme") or request.headers.get("x-forwarded-proto", "").partition(",")[0]
    return "https" in (request.url.scheme, said.strip())


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind == "Bearer" else ""


def _page(name: str) -> _Handler:
    return _file(_PAGES[name], "text/html")


def _asset(name: str) -> _Handler:
    return _file(name, "text/css" if name.endswith(".css") else "text/javascript")


def _file(name: str, media_type: str) -> _Handler:
    """Return a handler that answers with a file of the templates; a style sheet begins with the one all pages share."""
    is_page = name.endswith(".html")
    folder = files("autograder.board").joinpath("templates")
    text = folder.joinpath(name).read_text(encoding="utf-8") if is_page else str(asset("autograder.board", name))

    async def answer(_: Request) -> Response:
        return Response(text, media_type=media_type)

    return answer


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else 400
    return JSONResponse({"why": str(error)}, status)


async def _unwritten(_: Request, __: Exception) -> Response:
    return JSONResponse({"why": "the board's database did not take it; send it again"}, 503)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)
