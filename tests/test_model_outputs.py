"""The bench that reads other projects' tests of model outputs, on tests of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

import model_outputs
from model_outputs import (
    AGREE,
    CONTINUED,
    DIFFERENT,
    MISREAD_THERE,
    NO_FORMAT,
    NOT_AN_OUTPUT,
    ON_PURPOSE,
    REFUSED,
    Verdict,
)
from outputs_llama_cpp import cases_of
from outputs_reading import BY_PARSER, BY_TEMPLATE, Formats
from schemask.chat import FORMATS

# Not a copy: what is here is spelt as `test-chat.cpp` spells its tests.
TEST_CHAT = r"""
static common_chat_tool weather{
    /* .name = */ "weather",
    /* .description = */ "A tool; .test(\"of no account\")",
    /* .parameters = */ R"({"type": "object", "properties": {"city": {"type": "string"}}})",
};
static common_chat_tool ping{ "ping", "No parameters", "{}" };
const common_chat_msg hello = simple_assist_msg("Hello, \u00e9", "");

static void test_both(const std::string & path, bool detailed_debug) {
    auto tst = peg_tester(path, detailed_debug);
    tst.test("Hello, " "\xc3\xa9").expect(hello).run();
}

static void test_outputs(bool detailed_debug) {
    for (const char * path : {
             "templates/Qwen-Qwen2.5-7B-Instruct.jinja",
             "templates/MiMo-VL.jinja",
         }) {
        test_both(path, detailed_debug);
    }
    {
        auto tst = peg_tester("templates/Qwen-Qwen2.5-7B-Instruct.jinja", detailed_debug);
        // tst.test("not a test").run();
        tst.test("Hm.\n<tool_call>\n"
                 R"({"name": "weather", "arguments": {"city": "Oslo"}})"
                 "\n</tool_call>")
            .tools({ weather, ping })
            .expect(message_with_content_and_tool_call("Hm.", "weather", "{\"city\":\"Oslo\"}"))
            .run();
        tst.test("<think>\nHm.\n</think>\n\nBye")
            .reasoning_format(COMMON_REASONING_FORMAT_AUTO)
            .expect_reasoning("Hm.").expect_content("Bye")
            .run();
        tst.test("<think>\nHm.\n</think>\n\nBye").expect_content("<think>\nHm.\n</think>\n\nBye").run();
        tst.test("<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"ci")
            .tools({ weather })
            .is_partial(true)
            .expect(simple_assist_msg("", "", "weather", "{\"ci"))
            .run();
        tst.test("<tool_call>\n{\"name\": ?}\n</tool_call>").tools({ weather })
            .expect_tool_calls({ { "weather", R"#({"city": "(\"Oslo\")"})#", {} } })
            .run();
        tst.test("Hello").expect_content("Goodbye").run();
        tst.test("more").messages({ message_user, hello })
            .continue_final_message(COMMON_CHAT_CONTINUATION_CONTENT)
            .expect_content("Hello, more").run();
        auto other = peg_tester("templates/Unheard-of.jinja", detailed_debug);
        other.test("Hello").expect_content("Hello").run();
    }
}
"""

REGISTRY = """
_PARSERS = {
    "hermes": ("hermes_tool_parser", "HermesToolParser"),
    "unheard_of": ("unheard_tool_parser", "UnheardOfToolParser"),
}
"""

TEST_HERMES = """
import json
from unittest.mock import MagicMock

import pytest
from transformers import AutoTokenizer

from vllm.entrypoints.protocol import ChatCompletionRequest, DeltaMessage, FunctionCall
from vllm.parser.tags import START, parse_arguments
from vllm.tool_parsers import ToolParserManager
from vllm.tool_parsers.hermes_tool_parser import HermesToolParser

CALL = START + '{"name": "f", "arguments": {"a": 1}}</tool_call>'


@pytest.fixture
def parser():
    return HermesToolParser(AutoTokenizer.from_pretrained("a model"), tools=[MagicMock()])


@pytest.fixture
def untold(default_tokenizer):
    return HermesToolParser(default_tokenizer)


def test_agrees(untold):
    result = untold.extract_tool_calls("Hm." + CALL, None)
    assert result.tools_called and result.content == "Hm."
    assert result.tool_calls[0].function == FunctionCall(name="f", arguments='{"a": 1}')


def test_streams(untold):
    text, deltas = "", []
    for piece in untold.model_tokenizer.tokenize("Hm. " + CALL):
        before, text = text, text + piece
        deltas.append(
            untold.extract_tool_calls_streaming(before, text, piece, [], [], [], request=None)
        )
    deltas = [delta for delta in deltas if delta is not None]
    assert all(isinstance(delta, DeltaMessage) for delta in deltas)
    assert "".join(delta.content or "" for delta in deltas) == "Hm. "
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert [call.function.name for call in calls if call.function.name] == ["f"]
    assert json.loads("".join(call.function.arguments for call in calls)) == {"a": 1}


@pytest.mark.parametrize("expected_content", ["Bye"])
def test_differs(untold, expected_content):
    request = ChatCompletionRequest(messages=[], model="")
    assert untold.extract_tool_calls("Hello", request).content == expected_content


def test_is_refused(untold):
    text = START + "{]</tool_call>"
    assert untold.extract_tool_calls(text, None).content == text


@pytest.mark.xfail(strict=True)
def test_is_better(untold):
    assert untold.extract_tool_calls(CALL, None).tools_called


def test_looks_inside(untold):
    assert untold.extract_tool_calls("Hello", None).content == "Hello"
    assert untold.buffer == ""


def test_reads_nothing():
    assert parse_arguments("{}") == {}


def test_has_no_format(default_tokenizer):
    parser = ToolParserManager.get_tool_parser("unheard_of")(default_tokenizer)
    assert parser.extract_tool_calls("Hello", None).content == "Hello"
"""


def test_outputs_of_llama_cpp_are_judged(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test-chat.cpp").write_text(TEST_CHAT, encoding="utf-8")
    verdicts = model_outputs.llama_cpp_verdicts(tmp_path, Formats([]))
    assert [verdict.verdict for verdict in verdicts] == [
        *(AGREE, AGREE),
        *(AGREE, AGREE, AGREE, AGREE, REFUSED, DIFFERENT, CONTINUED, NO_FORMAT),
    ]
    assert [verdict.form for verdict in verdicts[-3:]] == [
        *("hermes", "Qwen-Qwen2.5-7B-Instruct", "Unheard-of"),
    ]
    # A name says which output it is, wherever it stands.
    (tmp_path / "tests" / "test-chat.cpp").write_text("\n\n" + TEST_CHAT, encoding="utf-8")
    moved = model_outputs.llama_cpp_verdicts(tmp_path, Formats([]))
    assert [verdict.name for verdict in moved] == [verdict.name for verdict in verdicts]
    assert [verdict.place for verdict in moved] != [verdict.place for verdict in verdicts]


def test_tests_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    file = tmp_path / "test-chat.cpp"
    file.write_text('auto tst = peg_tester("a");\ntst.test(made("up")).run();\n')
    cases, unread = cases_of(file)
    assert not cases
    assert unread == ["line 2: the function made"]


def test_tests_of_vllm_are_judged(tmp_path: Path) -> None:
    tests = tmp_path / "tests" / "tool_parsers"
    tests.mkdir(parents=True)
    for folder in (tests.parent, tests):
        (folder / "__init__.py").touch()
    parsers = tmp_path / "vllm" / "tool_parsers"
    parsers.mkdir(parents=True)
    (parsers / "__init__.py").write_text(REGISTRY)
    (tmp_path / "vllm" / "parser").mkdir()
    (tmp_path / "vllm" / "parser" / "tags.py").write_text('START: str = "<tool_call>"\n')
    (tests / "test_hermes.py").write_text(TEST_HERMES)
    verdicts = model_outputs.vllm_verdicts(tmp_path, [])
    assert {v.name.partition("::")[2]: (v.verdict, v.form) for v in verdicts} == {
        "test_agrees": (AGREE, "hermes"),
        "test_streams": (AGREE, "hermes"),
        "test_differs[Bye]": (DIFFERENT, "hermes"),
        "test_is_refused": (REFUSED, "hermes"),
        "test_is_better": (AGREE, "hermes"),
        "test_looks_inside": (NOT_AN_OUTPUT, "hermes"),
        "test_reads_nothing": (NOT_AN_OUTPUT, ""),
        "test_has_no_format": (NO_FORMAT, "unheard_of"),
    }
    (different,) = (v for v in verdicts if v.verdict == DIFFERENT)
    assert "text     'Hello'" in different.details
    assert "expected expected_content: 'Bye'" in different.details


def test_what_differs_on_purpose_has_a_reason() -> None:
    verdicts = [
        Verdict("a.py::test[1]", "", "hermes", REFUSED),
        Verdict("a.py::test[2]", "", "hermes", AGREE),
        Verdict("b.py::test", "", "hermes", DIFFERENT),
        Verdict("c.py::test", "", "hermes", DIFFERENT),
    ]
    known = [
        {"case": "a.py::test*", "reason": "so it is"},
        {"case": "c.py::*", "kind": "misread there", "reason": "it loses text"},
    ]
    found = model_outputs.excused(verdicts, known)
    assert [v.verdict for v in found] == [ON_PURPOSE, AGREE, DIFFERENT, MISREAD_THERE]
    assert found[0].reason == "so it is"
    text = model_outputs.table(found)
    assert "| hermes | 4 | 1 | 1 | 0 | 1 | 0 | 1 |" in text
    assert "25.0% agree; where the format is the same and not misread there, 33.3% of 3" in text


@pytest.mark.parametrize("names", [BY_TEMPLATE.values(), *BY_PARSER.values()])
def test_formats_that_stand_for_others_are_there(names: list[str]) -> None:
    assert set(names) <= set(FORMATS)
