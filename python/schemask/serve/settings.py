"""How a server is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemask.core.limits import Limits

# Strangers may send any number of schemas, and what is compiled is kept.
SERVER_LIMITS: Limits = {
    "memory_bytes": 32 << 20,
    "machine_bytes": 16 << 20,
    "cache_bytes": 8 << 20,
}


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server is run.

    Attributes:
        name: The name of the model.
        api_key: What clients have to know; None if that is nothing.
        hosts: The names and addresses by which clients may call the server; None is any.
        max_tokens: The most tokens of one answer; None is what the context holds.
        slots: How many requests are generated for at once.
        waiting: How many may wait for that.
        connections: How many requests may be open, those included whose clients are slow to send
            or to read.
        body_bytes: The most bytes of a request.
        request_seconds: How long a request may wait and be generated for.
        stall_seconds: How long a client may take to send a request, and to read a piece.
        grace_seconds: How long requests may go on once the server is to end.
        limits: Bounds of the work and memory that grammars may take.
    """

    name: str
    api_key: str | None = None
    hosts: frozenset[str] | None = None
    max_tokens: int | None = None
    slots: int = 1
    waiting: int = 64
    connections: int = 256
    body_bytes: int = 1 << 20
    request_seconds: float = 600.0
    stall_seconds: float = 30.0
    grace_seconds: float = 30.0
    limits: Limits = field(default_factory=SERVER_LIMITS.copy)
