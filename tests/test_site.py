"""What the pages of the site say of the package is true."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schemask
from schemask import Grammar, Tool, ToolSet, Vocabulary
from schemask.agent import run_agent
from schemask.chat import FORMATS, HERMES, messages_from_example
from schemask.core.generation import check_compiled, check_vocabulary, token_limit
from schemask.errors import missing
from schemask.lint import RULES
from schemask.models import CallableModel
from schemask.synth import generate

DOCS = Path(__file__).parents[1] / "docs"
VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [b""], [256])

ANY = Grammar.from_json_schema({})
NONE = ToolSet()
DEEP: dict[str, Any] = {}
for _ in range(600):
    DEEP = {"items": DEEP}


def matcher(schema: Any, **limits: int) -> Any:
    return Grammar.from_json_schema(schema, limits=limits).compile(VOCABULARY).matcher()  # type: ignore[arg-type]


def words(size: int, dtype: Any = np.int32) -> Any:
    return np.full((1, size), -1, dtype=dtype)


def number(x: int) -> int:
    return x


def untyped(x):  # type: ignore[no-untyped-def]
    return x


def stars(*args: int) -> None:
    pass


def failed_import() -> None:
    raise missing("torch", "transformers", ImportError("no torch"))


def refused_token() -> None:
    from schemask.core.generation import refusal

    raise refusal(VOCABULARY, [1, 2], 1)


def never_called() -> None:
    from schemask.llama_cpp import SchemaLogitsProcessor

    SchemaLogitsProcessor(ANY.compile(VOCABULARY)).raise_if_failed()


def two_generations() -> None:
    from schemask.llama_cpp import SchemaLogitsProcessor

    processor = SchemaLogitsProcessor(ANY.compile(VOCABULARY))
    scores = np.zeros(257, dtype=np.float32)
    processor(np.array([1, 2], dtype=np.intc), scores)
    processor(np.array([2, 2], dtype=np.intc), scores)
    processor.raise_if_failed()


def remote(use: Callable[[Tool], object], **options: Any) -> Tool:
    """A tool of a session that never answers its calls, after `use` in the session's loop."""
    pytest.importorskip("mcp")
    from mcp.types import ListToolsResult

    class Session:
        async def list_tools(self, params: Any = None) -> ListToolsResult:
            definition = {"name": "f", "inputSchema": {"type": "object"}}
            return ListToolsResult.model_validate({"tools": [definition]})

        async def call_tool(self, name: str, arguments: Any) -> None:
            await asyncio.Event().wait()

    async def main() -> Tool:
        [tool] = await ToolSet.from_mcp(Session(), **options)
        if asyncio.iscoroutine(used := use(tool)):
            await used
        return tool

    return asyncio.run(main())


def unreachable() -> None:
    from mcp import StdioServerParameters

    from schemask.mcp import connect

    with connect(StdioServerParameters(command="no-such-command")):
        pass


MODEL = CallableModel(lambda prompt: "words")
CALL = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'

FAILING: dict[str, list[Callable[[], object]]] = {
    "SchemaError": [
        lambda: Grammar.from_json_schema({"type": "string", "enum": [1]}),
        lambda: Grammar.from_json_schema({"type": "int"}),
        lambda: Grammar.from_json_schema({"$ref": "#/$defs/x"}),
        lambda: Grammar.from_json_schema({"$ref": "https://example.com/x"}),
        lambda: Grammar.from_json_schema({"$ref": "#"}),
        lambda: Grammar.from_json_schema("{'a': 1}"),
    ],
    "UnsupportedSchemaError": [
        lambda: Grammar.from_json_schema({"pattern": "(a)\\1"}),
        lambda: Grammar.from_json_schema({"uniqueItems": True, "type": "array"}).to_gbnf(),
    ],
    "GrammarError": [
        lambda: Grammar.from_gbnf("root ::= item"),
        lambda: Grammar.from_gbnf("root ::= root"),
        lambda: Grammar.from_gbnf('start ::= "a"'),
        lambda: Grammar.from_gbnf("root ::= 'a"),
        lambda: Grammar.from_lark('start: a\na.2: "x"'),
        lambda: Grammar.from_lark("start: /(?=a)b/"),
        lambda: Grammar.from_json_schema({}, whitespace="some"),  # type: ignore[arg-type]
        lambda: Grammar.from_json_schema({}, indent=17),
    ],
    "VocabularyError": [
        lambda: Vocabulary([b"a"], []),
        lambda: Vocabulary.from_transformers(object()),
        lambda: Grammar.token("<|im_end|>").compile(VOCABULARY),
        lambda: ANY.compile(Vocabulary([b"a", b""], [1])),
    ],
    "TokenError": [lambda: matcher({}).accept(999), lambda: matcher({}).rollback(2)],
    "MaskError": [
        lambda: matcher({}).fill_mask(words(4)),
        lambda: matcher({}).fill_mask(words(9, np.int64)),
        lambda: schemask.apply_mask(np.zeros((1, 10), dtype=np.float32), words(9)),
    ],
    "LimitError": [
        lambda: (
            Grammar.from_json_schema({"type": "string", "minLength": 50})
            .compile(VOCABULARY)
            .matcher(max_tokens=10)
        ),
        lambda: matcher({"type": "array", "uniqueItems": True}, compile_work=10),
        lambda: matcher({"type": "string"}, mask_work=1).fill_mask(words(9)),
        lambda: Grammar.from_json_schema(DEEP),
        lambda: matcher({}, compile_works=10),
    ],
    "ToolError": [
        lambda: Tool.from_function(untyped),
        lambda: Tool.from_function(stars),
        lambda: schemask.tool(number).call({"y": 1}),
        lambda: ToolSet([number, number]),
        lambda: ToolSet(number),  # type: ignore[arg-type]
        lambda: run_agent(MODEL, [{"name": "f"}], "?"),
        lambda: remote(lambda tool: tool.call({})),
        lambda: remote(lambda tool: None).call({}),
        unreachable,
        lambda: remote(lambda tool: asyncio.to_thread(tool.call, {}), timeout=0.01),
    ],
    "FormatError": [
        lambda: Grammar.from_tools([number], format="hermess"),
        lambda: Grammar.from_tools([number], tool_choice="typd"),
        lambda: HERMES.render([{"role": "user", "content": "<|im_end|>"}]),
        lambda: HERMES.parse('<tool_call>\n{"name": "f", "arg', NONE),
        lambda: HERMES.parse(CALL + "<|im_end|> and more", NONE),
        lambda: HERMES.render([{"role": "bot", "content": ""}]),
        lambda: Grammar.from_tools([number], "tool_code", reasoning=True),
    ],
    "ModelError": [
        lambda: check_vocabulary(VOCABULARY, lambda text: [1, 2]),
        lambda: check_compiled(ANY),
        lambda: MODEL.generate("?", grammar=ANY.compile(VOCABULARY)),
        lambda: run_agent(MODEL, [number], "?", tool_choice="required"),
        lambda: token_limit(10, 5, 5),
    ],
    "GenerationError": [refused_token, never_called, two_generations],
    "DataError": [
        lambda: messages_from_example({"prompt": "?"}),
        lambda: generate(MODEL, [], 1, "train.jsonl"),
    ],
    "DependencyError": [failed_import],
}


def explained() -> dict[str, list[str]]:
    """The messages that the page on errors explains, by the class of the error."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\w+Error)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return {
        name: [
            first or second
            for first, second in re.findall(r"^\| (?:`` (.+?) ``|`(.+?)`) \|", body, re.M)
        ]
        for name, body in sections
    }


def test_each_class_of_errors_is_explained() -> None:
    classes = {name for name in schemask.__all__ if name.endswith("Error")} - {"Error"}
    assert explained().keys() == FAILING.keys() == classes


@pytest.mark.parametrize("name", FAILING)
def test_messages_that_are_explained_are_those_of_errors(name: str) -> None:
    messages = []
    for fail in FAILING[name]:
        with pytest.raises(getattr(schemask, name)) as caught:
            fail()
        assert type(caught.value).__name__ == name
        messages.append(str(caught.value))
    for row in explained()[name]:
        # In a table, a bar is written with a backslash.
        parts = row.replace("\\|", "|").split("…")
        pattern = ".*".join(re.escape(part.strip()) for part in parts)
        assert any(re.search(pattern, message) for message in messages), (row, messages)
    assert len(explained()[name]) == len(messages)


def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_package_are_whole() -> None:
    made = hooks()
    rows = re.findall(r"^\| `(\w+)` \|", made.formats(), re.MULTILINE)
    assert rows == list(FORMATS)
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", made.limits(), re.MULTILINE)
    assert rows == list(schemask.Limits.__annotations__)
    assert "schemask check" in made.commands()
    assert "## synth execute\n" in made.commands()


def test_tables_are_put_in_and_links_out_of_the_site_lead_to_the_repository() -> None:
    links = "[a](../README.md) [b](../design.md#c) [d](../benches/README.md)"
    rules = re.findall(r"^\| `([\w-]+)` \|", hooks().rules(), re.MULTILINE)
    assert rules == list(RULES)
    page = f"<!-- formats -->\n| `a \\| b` |\n{links}"
    made = hooks().on_page_markdown(page)
    assert "| `hermes` |" in made and "| `a | b` |" in made
    assert "[a](https://github.com/schemask/schemask/blob/main/README.md)" in made
    assert "[b](../design.md#c)" in made


def test_each_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    named = set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))
    missing = [
        name
        for name in schemask.__all__
        if f"schemask.{name}" not in named and name != "__version__"
    ]
    assert missing == []
    for module in (
        "agent",
        "chat",
        "demo",
        "evaluation",
        "lint",
        "llama_cpp",
        "models",
        "synth",
        "transformers",
    ):
        assert f"schemask.{module}" in named
