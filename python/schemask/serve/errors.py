"""What a request is answered with when it cannot be served: errors in the shape of OpenAI's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from schemask.errors import (
    Error,
    FormatError,
    GenerationError,
    GrammarError,
    LimitError,
    ModelError,
    SchemaError,
    ToolError,
    UnsupportedSchemaError,
)

# The first class that an error is of has its code.
_CODES: tuple[tuple[type[Error], str], ...] = (
    (UnsupportedSchemaError, "unsupported_schema"),
    (SchemaError, "invalid_schema"),
    (GrammarError, "invalid_grammar"),
    (LimitError, "limit_exceeded"),
    (ToolError, "invalid_tool"),
    (FormatError, "invalid_messages"),
    (ModelError, "invalid_request"),
)


class RequestError(Error):
    """A request that is not served.

    Args:
        message: Why.
        status: The HTTP status.
        kind: The type, as OpenAI names types of errors.
        param: The parameter at fault, if one is.
        code: What a program can tell the error by.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        told = {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}
        return {"error": told}


@contextlib.contextmanager
def blamed(param: str) -> Iterator[None]:
    """What is wrong inside is the fault of a parameter of the request.

    Args:
        param: The parameter.

    Raises:
        RequestError: In the place of every other error of the package.
    """
    try:
        yield
    except RequestError:
        raise
    except Error as error:
        raise _request_error(error, param) from error


def of_generation(error: Exception, param: str) -> RequestError:
    """The answer to a request whose generation failed.

    Args:
        error: What the model raised.
        param: The parameter that bounds the text.
    """
    if isinstance(error, GenerationError) and isinstance(error.__cause__, LimitError):
        return _request_error(error.__cause__, None)
    if isinstance(error, LimitError):
        return _request_error(error, param if "the budget of" in str(error) else None)
    if isinstance(error, ModelError):
        code = "context_length_exceeded" if str(error).startswith("no room to") else None
        return RequestError(str(error), code=code or "invalid_request")
    return server_error(error)


def server_error(error: BaseException) -> RequestError:
    """The answer to what is no fault of the request; the log has what it was."""
    shown = str(error) if isinstance(error, Error) else f"unexpected {type(error).__name__}"
    made = RequestError(shown, status=500, kind="server_error", code="internal_error")
    made.__cause__ = error
    return made


def _request_error(error: Error, param: str | None) -> RequestError:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "invalid_request")
    message = str(error)
    if error.pointer and error.pointer not in message:
        message += f" (at {error.pointer})"
    return RequestError(message, param=param, code=code)
