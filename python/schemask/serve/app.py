"""The application: what its addresses do, and who may ask."""

from __future__ import annotations

import contextlib
import hmac
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemask.errors import shortened
from schemask.serve.errors import RequestError, server_error
from schemask.serve.jobs import Job, Workers, while_connected
from schemask.serve.metrics import Metrics
from schemask.serve.requests import (
    ChatRequest,
    CompletionRequest,
    read_chat,
    read_completion,
    read_json,
)
from schemask.serve.responses import Answer, ChatAnswer, TextAnswer
from schemask.serve.settings import ServerSettings
from schemask.serve.streams import DONE, EventStream, event
from schemask.serve.turns import Engine, Finished, TurnPiece

_LOG = logging.getLogger("schemask.serve")

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Application:
    """What answers requests.

    Args:
        engine: What writes.
        settings: How the server is run.
    """

    def __init__(self, engine: Engine, settings: ServerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._workers = Workers(settings.slots, settings.waiting)
        self._open = 0
        self._created = int(time.time())
        self.metrics = Metrics(
            lambda: self._workers.running, lambda: self._workers.waiting, lambda: engine.cache
        )

        engine.tell_masks(self.metrics.masked)

    def asgi(self) -> Starlette:
        """The application as servers run it."""

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            yield
            await self._workers.close()

        def route(path: str, handler: Handler, method: str = "GET", guarded: bool = True) -> Route:
            return Route(path, self._answered(path, handler, guarded), methods=[method])

        return Starlette(
            routes=[
                route("/v1/chat/completions", self._chat, "POST"),
                route("/v1/completions", self._complete, "POST"),
                route("/v1/models", self._models),
                route("/v1/models/{name:path}", self._model),
                route("/metrics", self._metrics),
                route("/health", self._health, guarded=False),
            ],
            exception_handlers={HTTPException: _unknown_address},
            lifespan=lifespan,
        )

    # What all addresses share.

    def _answered(
        self, endpoint: str, handler: Handler, guarded: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            try:
                if guarded:
                    self._check_host(request)
                    self._check_key(request)
                response = await handler(request)
            except ClientDisconnect:
                self.metrics.gone.inc()
                response = Response(status_code=499)
            except RequestError as error:
                response = self._refused(error)
            except RecursionError:
                message = "the request is nested too deeply"
                response = self._refused(RequestError(message, code="limit_exceeded"))
            except Exception as error:
                response = self._refused(server_error(error))
            self.metrics.requests.labels(endpoint, response.status_code).inc()
            return response

        return answered

    def _refused(self, error: RequestError) -> Response:
        self._note(error)
        return JSONResponse(error.body, error.status, error.headers)

    def _note(self, error: RequestError) -> None:
        self.metrics.refusals.labels(error.code or "none").inc()
        if error.status == 500:
            _LOG.error("a request failed", exc_info=error.__cause__ or error)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the requests that may be open."""
        if self._open >= self._settings.connections:
            raise RequestError(
                f"{self._open} requests are open already: try again later",
                status=503,
                kind="server_error",
                code="overloaded",
                headers={"Retry-After": "1"},
            )
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def _check_host(self, request: Request) -> None:
        """Refuses pages in a browser whose name has come to mean this machine."""
        hosts, called = self._settings.hosts, request.headers.get("host", "")
        if hosts is None or not called:
            return
        try:
            name = urlsplit(f"//{called}").hostname
        except ValueError:
            name = None
        if name not in hosts:
            raise RequestError(
                f"this server has no API key, and is not called {shortened(called)}: give it a key",
                status=403,
                code="invalid_host",
            )

    def _check_key(self, request: Request) -> None:
        key = self._settings.api_key
        if key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Headers are read as Latin-1, whatever they are.
        same = hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
        if scheme.lower() != "bearer" or not same:
            raise RequestError(
                "the API key is missing or wrong",
                status=401,
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    # What is small.

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._described]})

    async def _model(self, request: Request) -> Response:
        self._check_model(request.path_params["name"])
        return JSONResponse(self._described)

    @property
    def _described(self) -> dict[str, Any]:
        own = {"id": self._settings.name, "object": "model", "owned_by": "schemask"}
        return {**own, "created": self._created}

    def _check_model(self, name: str) -> None:
        if name != self._settings.name:
            raise RequestError(
                f"there is no model {name!r} here, only {self._settings.name!r}",
                status=404,
                param="model",
                code="model_not_found",
            )

    # What is generated.

    async def _chat(self, request: Request) -> Response:
        def write(asked: ChatRequest) -> Callable[[Job], Finished]:
            return lambda job: self._engine.chat(asked, job)

        return await self._generated(request, read_chat, write, ChatAnswer)

    async def _complete(self, request: Request) -> Response:
        def write(asked: CompletionRequest) -> Callable[[Job], Finished]:
            return lambda job: self._engine.complete(asked, job)

        return await self._generated(request, read_completion, write, TextAnswer)

    async def _generated(
        self,
        request: Request,
        read: Callable[[Any, int | None], Any],
        write: Callable[[Any], Callable[[Job], Finished]],
        kind: type[Answer],
    ) -> Response:
        with contextlib.ExitStack() as held:
            held.enter_context(self._place())
            return await self._generated_in_place(request, read, write, kind, held)

    async def _generated_in_place(
        self,
        request: Request,
        read: Callable[[Any, int | None], Any],
        write: Callable[[Any], Callable[[Job], Finished]],
        kind: type[Answer],
        held: contextlib.ExitStack,
    ) -> Response:
        """The answer; what is held until the request is over goes on with a stream."""
        started = time.monotonic()
        asked = await self._asked(request, read)
        self._check_model(asked.generation.model)
        answer = kind(asked.generation, self._engine.vocabulary)
        run = _Request(self._workers, self.metrics, write(asked), started, request.url.path)
        deadline = started + self._settings.request_seconds
        held.callback(run.close)
        if asked.generation.stream:
            begun = await while_connected(request.receive, lambda: run.begin(deadline))
            if begun is None:
                raise ClientDisconnect
            kept = held.pop_all()

            def ended(is_whole: bool) -> None:
                kept.close()
                if not is_whole:
                    self.metrics.gone.inc()

            events = self._events(run, answer)
            return EventStream(events, self._settings.stall_seconds, ended)
        whole = await while_connected(request.receive, lambda: run.whole(deadline))
        if whole is None:
            raise ClientDisconnect
        return JSONResponse(answer.whole(*whole))

    async def _events(self, run: _Request, answer: Answer) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in answer.first():
                yield event(chunk)
            async for item in run.items():
                chunks = answer.chunks(item) if isinstance(item, list) else answer.last(item)
                for chunk in chunks:
                    yield event(chunk)
            yield DONE
        except Exception as error:
            known = error if isinstance(error, RequestError) else server_error(error)
            self._note(known)
            yield event(known.body)

    async def _asked(self, request: Request, read: Callable[[Any, int | None], Any]) -> Any:
        """The request, read from its body, which is not kept."""
        body, most = await self._body(request), self._settings.max_tokens
        return await anyio.to_thread.run_sync(lambda: read(read_json(body), most))

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Of other types, pages of strangers could send requests from a browser.
            raise RequestError(
                f"the body is application/json, not {kind or 'of no type'}",
                status=415,
                code="invalid_content_type",
            )
        most = self._settings.body_bytes
        told = request.headers.get("content-length")
        if told is not None and int(told) > most:
            raise _too_large(most)
        data = bytearray()
        with anyio.move_on_after(self._settings.stall_seconds) as scope:
            async for piece in request.stream():
                data += piece
                if len(data) > most:
                    raise _too_large(most, closing=True)
        if scope.cancelled_caught:
            raise RequestError(
                "the body did not come in time",
                status=408,
                kind="timeout_error",
                code="timeout",
                headers={"Connection": "close"},
            )
        return bytes(data)


class _Request:
    """One request that is generated for, and its share in the metrics.

    Args:
        workers: The threads.
        metrics: The metrics.
        write: Writes.
        started: When the request came, by `time.monotonic`.
        endpoint: What it asked.
    """

    def __init__(
        self,
        workers: Workers,
        metrics: Metrics,
        write: Callable[[Job], Finished],
        started: float,
        endpoint: str,
    ) -> None:
        self._workers = workers
        self._metrics = metrics
        self._write = write
        self._started = started
        self._endpoint = endpoint
        self._job: Job | None = None
        self._taken: AsyncIterator[list[TurnPiece] | Finished] | None = None
        self._first: list[TurnPiece] | Finished | None = None

    async def begin(self, deadline: float) -> bool:
        """Waits for the first that is written, or for why there is nothing."""
        self._job = await self._workers.start(self._write, deadline)
        self._taken = self._job.taken()
        self._first = await anext(self._taken)
        self._metrics.first_token.observe(time.monotonic() - self._started)
        return True

    async def items(self) -> AsyncIterator[list[TurnPiece] | Finished]:
        """What is written, from the first on."""
        assert self._taken is not None and self._first is not None
        yield self._noted(self._first)
        async for item in self._taken:
            yield self._noted(item)

    async def whole(self, deadline: float) -> tuple[list[TurnPiece], Finished]:
        """All of it."""
        await self.begin(deadline)
        pieces: list[TurnPiece] = []
        async for item in self.items():
            if isinstance(item, Finished):
                return pieces, item
            pieces += item
        raise AssertionError("an answer without an end")

    def close(self) -> None:
        """Has the generation stopped, if it has not ended."""
        if self._job is not None:
            self._job.stop()

    def _noted(self, item: list[TurnPiece] | Finished) -> list[TurnPiece] | Finished:
        if isinstance(item, Finished):
            self._metrics.tokens.labels("prompt").inc(item.prompt_tokens)
            self._metrics.tokens.labels("completion").inc(item.completion_tokens)
            self._metrics.seconds.labels(self._endpoint).observe(time.monotonic() - self._started)
        return item


def _too_large(most: int, closing: bool = False) -> RequestError:
    # A body whose length is told is read to its end and dropped; one without end is not.
    headers = {"Connection": "close"} if closing else {}
    return RequestError(
        f"the body has more than {most} bytes", status=413, code="too_large", headers=headers
    )


async def _unknown_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = RequestError(
        f"{request.method} {request.url.path}: {error.detail}",
        status=error.status_code,
        code="unknown_url" if error.status_code == 404 else "invalid_method",
    )
    return JSONResponse(told.body, error.status_code, dict(error.headers or {}))
