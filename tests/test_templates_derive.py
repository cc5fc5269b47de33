"""Formats derived from chat templates, of real models and of our own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from schemask import Grammar
from schemask.chat import (
    ArgumentDelta,
    ChatFormat,
    ElementArguments,
    ParsedTurn,
    RawArguments,
    ToolCall,
    turn_of,
)
from schemask.chat.templates.derivation import derivation_of
from schemask.chat.templates.derive import derive
from schemask.chat.templates.proof import prove
from schemask.chat.templates.template import ChatTemplate
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import FormatError

TRL = Path(pytest.importorskip("trl").__file__).parent / "chat_templates"
DATA = Path(os.environ.get("SCHEMASK_DATA", Path(__file__).parents[1] / "../shared/data"))

# Templates from which no format can be derived and proven, and why.
REFUSED = {
    "NVIDIA-Nemotron-Nano-v2.jinja": "read back",  # words stand where reasoning has been opened
    "fireworks-ai-llama-3-firefunction-v2.jinja": "'datetime' is undefined",
}


def _with_tools(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.jinja")) if folder.is_dir() else []
    return [path for path in paths if "tool" in path.read_text(encoding="utf-8")]


TEMPLATES = [*_with_tools(TRL), *_with_tools(DATA / "templates")]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
ASKED = [{"role": "user", "content": "How is the weather in Rome?"}]
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}],
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_of_models(path: Path) -> None:
    template = ChatTemplate(path.read_text(encoding="utf-8"), "<s>", "</s>")
    if path.name in REFUSED:
        with pytest.raises(FormatError, match=REFUSED[path.name]):
            ChatFormat.from_template(template)
        return
    form = ChatFormat.from_template(template)
    assert form.derived is not None
    assert form.derived.proof.turns > 50
    assert form.template == template


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_turn_is_read_alike_in_every_cut(path: Path) -> None:
    if path.name in REFUSED:
        return
    form = ChatFormat.from_template(ChatTemplate(path.read_text(encoding="utf-8"), "<s>", "</s>"))
    called = {**CALL, "content": "Let me look."}
    text = written(form, called) or written(form, CALL)
    assert text
    whole = read(form, [text])
    assert [call.name for call in whole.tool_calls] == ["get_weather"]
    assert whole == form.parse(text, [WEATHER])
    assert read(form, list(text)) == whole
    for cut in range(len(text)):
        assert read(form, [text[:cut], text[cut:]]) == whole, text[:cut]


def written(form: ChatFormat, message: dict[str, Any]) -> str:
    """A turn; empty if the format has none that says it."""
    try:
        return form.render_assistant(message, [WEATHER])
    except FormatError:
        return ""


def read(form: ChatFormat, pieces: list[str]) -> ParsedTurn:
    """A turn that comes in pieces; what is told of a call meanwhile is what it says in the end."""
    reader = form.reader([WEATHER])
    events = [event for piece in pieces for event in reader.feed(piece)] + [*reader.finish()]
    told = "".join(event.text for event in events if isinstance(event, ArgumentDelta))
    turn = turn_of(events)
    assert [json.loads(told)] == [call.arguments for call in turn.tool_calls]
    return turn


def test_data_folder_is_there_or_named(capsys: Any) -> None:
    if not (DATA / "templates").is_dir():
        pytest.skip(f"{DATA / 'templates'} is not there: only the templates of trl were tried")
    assert len(_with_tools(DATA / "templates")) > 40


def template(text: str) -> ChatTemplate:
    return ChatTemplate(text, "<s>", "</s>")


# A template of our own, which writes every part of a turn in a way of its own.
PLAIN = """\
{%- for message in messages %}
{{- '<|' + message.role + '|>' }}
{%- if message.reasoning_content %}
{{- '<thoughts>' + message.reasoning_content + '</thoughts>\n' }}
{%- endif %}
{{- message.content }}
{%- for call in message.tool_calls %}
{{- '\n' if message.content or not loop.first }}<do {{ call.function.name }}>
{%- for key, value in call.function.arguments.items() %}
{{- '<arg ' + key + '>' + (value if value is string else value | tojson) + '</arg>' }}
{%- endfor %}</do>
{%- endfor %}
{{- '<|end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
"""


def test_fields_of_a_template_of_our_own() -> None:
    spec = derive(template(PLAIN)).spec
    assert spec.reasoning_open == "<thoughts>"
    assert spec.reasoning_close == "</thoughts>\n"
    assert (spec.call_open, spec.call_close) == ("<do ", "</do>")
    assert spec.call == "{name}>{arguments}"
    assert spec.arguments == RawArguments("<arg {key}>{value}</arg>")
    assert (spec.call_separator, spec.preamble_close) == ("\n", "\n")
    assert spec.turn_end == "<|end|>"
    assert spec.around("assistant")[0] == "<|assistant|>"
    assert spec.max_calls is None
    assert spec.reasons


def test_it_writes_reads_and_allows_what_the_template_writes() -> None:
    form = ChatFormat.from_template(template(PLAIN))
    text = form.render([*ASKED, CALL], [WEATHER])
    prompt = form.render(ASKED, [WEATHER], add_generation_prompt=True)
    written = form.render_assistant(CALL, [WEATHER], prompt=prompt)
    assert text == prompt + written + "<|end|>\n"
    assert written == "<do get_weather><arg city>Rome</arg></do>"
    expected = ParsedTurn("", [ToolCall("get_weather", {"city": "Rome"})])
    assert form.parse(written + "<|end|>", [WEATHER]) == expected
    grammar = Grammar.from_tools([WEATHER], format=form)
    assert grammar.compile(byte_vocabulary()).matcher().accept_bytes(written.encode())


def test_arguments_are_in_the_order_of_the_grammar() -> None:
    form = ChatFormat.from_template(template(PLAIN))
    arguments = {"days": 2, "city": "Rome"}
    function = {"name": "get_weather", "arguments": arguments}
    messages = [*ASKED, {**CALL, "tool_calls": [{"function": function}]}]
    tool = {**WEATHER, "parameters": {"type": "object", "properties": {"city": {}, "days": {}}}}
    assert "<arg city>Rome</arg><arg days>2</arg>" in form.render(messages, [tool])
    assert "<arg days>2</arg><arg city>Rome</arg>" in form.render(messages)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{% for message in messages %}{{ message.content }", "line 1"),
        ("{{ messages[0].content }}", "does not write what the assistant says"),
        ("Hello", "drops what the user says"),
        ("{{ raise_exception('No.') }}", "refuses: No."),
        (PLAIN.replace("value | tojson", "'?'"), "no notation"),
        # Two values, one text: the second argument is lost.
        (
            PLAIN.replace("{%- for key", "{%- for key", 1).replace(
                "'</arg>' }}", "'</arg>' }}{% break %}"
            ),
            "one and another|in the template",
        ),
    ],
)
def test_what_cannot_be_derived_is_said(text: str, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        ChatFormat.from_template(text + "\n")


def test_a_wrong_format_is_found_out() -> None:
    import dataclasses

    made = template(PLAIN)
    derived = derive(made)
    prove(made, derived)
    for field, value in {
        "turn_end": "<|stop|>",
        "call_close": "</done>",
        "preamble_close": " ",
        "reasoning_close": "</thoughts>",
        "arguments": RawArguments("<arg {key}>{value}</arg>\n"),
    }.items():
        wrong = dataclasses.replace(derived.spec, **{field: value})
        with pytest.raises(FormatError, match="in the template"):
            prove(made, dataclasses.replace(derived, spec=wrong))


@pytest.mark.parametrize(
    ("old", "new", "dropped"),
    [
        (
            "{%- for key, value in call.function.arguments.items() %}",
            "{%- for key, value in call.function.arguments.items() if value is not none %}",
            '"nothing": null',
        ),
        (
            "{{- message.content }}",
            "{{- message.content if message.content != 'null' }}",
            '"content": "null"',
        ),
    ],
)
def test_two_values_of_one_text_are_said(old: str, new: str, dropped: str) -> None:
    """The turn is proven as it is without what the template drops, which is named."""
    made = template(PLAIN.replace(old, new))
    proof = prove(made, derive(made), conversations=150)
    assert 0 < proof.dropped_parts < proof.turns / 4
    [finding] = proof.findings
    before, _, after = finding.partition(" is written as ")
    assert before.startswith("some words or arguments are dropped: ")
    assert dropped in before and dropped not in after
    assert prove(template(PLAIN), derive(template(PLAIN))).dropped_parts == 0


def test_a_template_is_derived_once() -> None:
    assert derivation_of(template(PLAIN), "a") is derivation_of(template(PLAIN), "a")


SWITCHED = PLAIN.replace(
    "'<|assistant|>'", "'<|assistant|>' + ('' if enable_thinking else '<thoughts></thoughts>\n')"
)


def test_reasoning_can_be_switched() -> None:
    form = ChatFormat.from_template(template(SWITCHED))
    assert not form.spec.reasons
    thinking = form.with_reasoning(True)
    prompt = thinking.render(ASKED, add_generation_prompt=True)
    assert prompt.endswith("<|assistant|>")
    plain = form.with_reasoning(False).render(ASKED, add_generation_prompt=True)
    assert plain.endswith("<|assistant|><thoughts></thoughts>\n")
    text = "<thoughts>Hm.</thoughts>\nYes."

    def allows(form: ChatFormat, prompt: str, **options: Any) -> bool:
        grammar = Grammar.from_tools([WEATHER], format=form, prompt=prompt, **options)
        matcher = grammar.compile(byte_vocabulary()).matcher()
        return matcher.accept_bytes(text.encode()) and matcher.is_accepting

    assert allows(thinking, prompt)
    assert thinking.parse(text, [], prompt=prompt) == ParsedTurn("Yes.", [], "Hm.")
    with pytest.raises(FormatError, match="reasoning"):
        Grammar.from_tools([WEATHER], format=form, prompt=plain, reasoning=True)
    assert not allows(form, plain)


def test_reasoning_that_the_prompt_opens() -> None:
    opened = SWITCHED.replace(
        "'' if enable_thinking else '<thoughts></thoughts>\n'", "'<thoughts>'"
    )
    form = ChatFormat.from_template(template(opened))
    prompt = form.render(ASKED, add_generation_prompt=True)
    assert prompt.endswith("<|assistant|><thoughts>")
    read = form.parse("Hm.</thoughts>\nYes.", [], prompt=prompt)
    assert read == ParsedTurn("Yes.", [], "Hm.")
    message = {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}
    assert form.render_assistant(message, prompt=prompt) == "Hm.</thoughts>\nYes."


CHATML = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""


@pytest.mark.parametrize(
    ("hint", "calls_by", "written"),
    [
        (
            "",
            "tool_code",
            '<tool_code>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_code>',
        ),
        (
            "{# <tool_call> and </tool_call> #}",
            "hermes",
            '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        ),
    ],
)
def test_calls_are_words_to_a_template_without_them(hint: str, calls_by: str, written: str) -> None:
    form = ChatFormat.from_template(template(hint + CHATML))
    assert form.derived is not None and form.derived.calls_by == calls_by
    result = {"role": "tool", "name": "get_weather", "content": "sun"}
    text = form.render([*ASKED, CALL, result], [WEATHER], add_generation_prompt=True)
    assert f"<|im_start|>assistant\n{written}<|im_end|>" in text
    assert "get_weather" in text.partition("<|im_start|>user")[0]
    assert "sun" in text.rpartition("<|im_start|>user")[2]
    assert form.parse(written, [WEATHER]).tool_calls == [ToolCall("get_weather", {"city": "Rome"})]


def test_tools_as_text_of_another_name() -> None:
    text = """{{ functions + today }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}
{%- if m.tool_calls %}<calls>[{% for c in m.tool_calls -%}
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
{%- if not loop.last %}, {% endif %}{% endfor %}]{% endif %}<|end|>{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""
    with pytest.raises(FormatError, match="'today' is undefined"):
        ChatFormat.from_template(ChatTemplate(text))
    template = ChatTemplate(text, variables={"today": "Monday"})
    form = ChatFormat.from_template(template)
    assert form.render_assistant(CALL, [WEATHER]).startswith("<calls>[")
    prompt = template.render(ASKED, [WEATHER], add_generation_prompt=True)
    assert prompt.startswith(json.dumps([WEATHER], indent=4) + "Monday<|user|>")


ELEMENTS = """
{%- macro xml(v) -%}
{%- if v is mapping -%}
{%- for k, x in v.items() if x is not none -%}MARK<{{ k }}>{{ xml(x) }}MARK</{{ k }}>{%- endfor -%}
{%- elif v is iterable and v is not string -%}
{%- for x in v -%}MARK<entry>{{ xml(x) }}MARK</entry>{%- endfor -%}
{%- elif v is boolean -%}{{ v | tojson }}
{%- else -%}{{ v }}
{%- endif -%}
{%- endmacro -%}
{%- for m in messages -%}<|{{ m.role }}|>{{ m.content }}
{%- for c in m.tool_calls or [] -%}
MARK<call name="{{ c.function.name }}">{{ xml(c.function.arguments) }}MARK</call>
{%- endfor -%}<|end|>{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""


@pytest.mark.parametrize("mark", ["", "]~["])
def test_elements_that_are_named_after_keys(mark: str) -> None:
    form = ChatFormat.from_template(ChatTemplate(ELEMENTS.replace("MARK", mark)))
    assert form.spec.arguments == ElementArguments(mark, item="entry")
    assert form.derived is not None
    assert form.derived.proof.turns > 50
    text = form.render_assistant(CALL, [WEATHER])
    assert f"{mark}<city>Rome{mark}</city>" in text
