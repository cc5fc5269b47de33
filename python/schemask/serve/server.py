"""Runs a server until it is told to end."""

from __future__ import annotations

import dataclasses
import ipaddress
import signal
import socket
from collections.abc import Callable

import uvicorn

from schemask.errors import ModelError
from schemask.serve.app import Application
from schemask.serve.connections import connection_class
from schemask.serve.settings import ServerSettings
from schemask.serve.turns import Engine

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def serve(
    engine: Engine,
    settings: ServerSettings,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Answers requests until SIGINT or SIGTERM comes. Requests that are open then may go on for
    `grace_seconds`.

    Where only this machine can reach it and it has no API key, it is called by this machine's own
    names alone, unless the settings name others: a page in a browser can have its name mean this
    machine, and could then ask what it likes.

    Args:
        engine: What writes.
        settings: How the server is run.
        host: The address that it listens at.
        port: The port; 0 is any that is free.
        on_start: Called with the address for clients, once it listens.

    Raises:
        ModelError: The address cannot be listened at.
    """
    if is_loopback(host) and settings.api_key is None and settings.hosts is None:
        settings = dataclasses.replace(settings, hosts=_OWN_NAMES | {host})
    listener = listening(host, port, settings.stall_seconds)
    if on_start is not None:
        shown = f"[{host}]" if ":" in host else host
        on_start(f"http://{shown}:{listener.getsockname()[1]}/v1")
    # uvicorn sends itself the signal again that has ended it; to have ended is enough.
    previous = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        made(engine, settings).run(sockets=[listener])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def made(engine: Engine, settings: ServerSettings) -> uvicorn.Server:
    """A server that is not run yet: `run(sockets=[…])` runs it until its `should_exit` is true.

    Args:
        engine: What writes.
        settings: How the server is run.
    """
    config = uvicorn.Config(
        Application(engine, settings).asgi(),
        http=connection_class(settings.stall_seconds),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
    )
    return uvicorn.Server(config)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach an address.

    Args:
        host: The address, or the name of a host.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int, stall_seconds: float) -> socket.socket:
    """A socket that listens, of whose connections those are dropped that get stuck.

    Args:
        host: The address.
        port: The port; 0 is any that is free.
        stall_seconds: How long the other side may take nothing of what has been written.

    Raises:
        ModelError: It cannot be listened at.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        raise ModelError(f"{host}:{port} cannot be listened at: {error}") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # What was written before a connection is closed waits in the kernel for a slow reader.
        milliseconds = int(stall_seconds * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listener
