"""A server of OpenAI's interface over a model on this machine: chat and text completions.

`schemask serve MODEL` runs it. What a client asks for is kept exactly or refused: calls are of the
tools and of their schemas, words of the format that was asked for, also beside tools, and texts end
valid within the limit on tokens.
"""

from schemask.errors import missing

try:
    import prometheus_client  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise missing("starlette, uvicorn or prometheus-client", "serve", error) from error

from schemask.serve.app import Application
from schemask.serve.server import serve
from schemask.serve.settings import ServerSettings
from schemask.serve.turns import Engine

__all__ = ["Application", "Engine", "ServerSettings", "serve"]
