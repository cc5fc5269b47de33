"""The command line, as a user meets it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import schemask
from schemask._lines import lines
from schemask.chat import HERMES, TOOL_CODE, ChatFormat
from schemask.cli import main
from schemask.cli.program import parser
from schemask.errors import DataError
from schemask.synth.kinds import KINDS

COMMANDS = (
    *("demo", "improve", "synth", "lint", "train", "eval", "report"),
    *("format", "template", "check", "explain", "generate"),
)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
CALL = {"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}
MESSAGES = [
    {"role": "user", "content": "What is Apple trading at?"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]},
    {"role": "tool", "name": "get_stock_price", "content": "150.0"},
    {"role": "assistant", "content": "At 150 dollars."},
]
CHAT_TEMPLATE = """\
{% for tool in tools or [] %}{{ tool | tojson }}
{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}\
{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
TOOLS = """\
from schemask import tool

@tool
def get_stock_price(symbol: str) -> float:
    '''Get the current price of a stock.'''
    return 150.0

same_again = get_stock_price
"""


def write(path: Path, content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return str(path)


def one_line_error(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"schemask: [^\n]+\n", captured.err)
    return captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_can_be_parsed(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    example = text.partition("example:\n  ")[2].strip()
    program, *arguments = shlex.split(example)
    assert program == "schemask"
    assert arguments[0] == command
    assert parser().parse_args(arguments).run


def test_the_module_and_the_command_are_the_same() -> None:
    for command in (
        [sys.executable, "-m", "schemask"],
        [str(Path(sys.executable).parent / "schemask")],
    ):
        done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
        for name in COMMANDS:
            assert name in done.stdout
        assert subprocess.run([*command, "nonsense"], capture_output=True).returncode == 2


def test_check_of_a_supported_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write(tmp_path / "s.json", PERSON)]) == 0
    assert capsys.readouterr().out == 'supported: yes\nexample: {"name": "", "age": 0}\n'


def test_check_lists_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = {"properties": {"a": {"type": "string", "format": "made-up"}}}
    assert main(["check", write(tmp_path / "s.json", schema)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("supported: yes\nwarning at /properties/a/format: ")


def test_check_lists_every_unsupported_keyword(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    properties = {"a/b": {"type": "string", "pattern": r"(b)\1"}}
    schema = {"pattern": r"^(a)\1$", "properties": properties}
    assert main(["check", write(tmp_path / "s.json", schema)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("supported: no\n")
    assert "  /pattern: " in out
    assert "  /properties/a~1b/pattern: " in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "nonsense"}, "/type"),
        ({"$ref": "#/$defs/missing"}, "/$ref"),
        (False, "schema"),
        ('{"a": ', "not valid JSON"),
        ("", "not valid JSON"),
        ('"{}"', "must be an object"),
        ("[]", "must be an object"),
        ('{"const": NaN}', "not valid JSON"),
        ('{"const": "\\ud800"}', "lone surrogate"),
        (f'{{"const": 1{"0" * 6000}}}', "digits"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_check_of_what_is_no_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, message: str
) -> None:
    assert main(["check", write(tmp_path / "s.json", content)]) == 1
    assert message in one_line_error(capsys)


@pytest.mark.parametrize(
    ("options", "text", "lines"),
    [
        ([], '{"age": 1e1,\n  "name": "x"}\n', ["valid"]),
        (
            [],
            '{"age": 1,\n "name": 5}\n',
            [
                "refused at line 2, column 10",
                "value: /name",
                'reason: refused by /properties/name/type (the type "string")',
                "what may come: a string",
            ],
        ),
        (
            ["--property-order", "schema"],
            '{"age": 1, "name": "x"}',
            [
                "refused at line 1, column 3",
                "value: (root)",
                'reason: refused by /required (the keys "name", "age"), '
                'with property_order="schema"',
                'what may come: the key "name"',
            ],
        ),
        (
            ["--whitespace", "compact", "--spelling", "plain"],
            '{"name":"x","age":1.0}',
            [
                "refused at line 1, column 20",
                "value: /age",
                'reason: refused by /properties/age/type (the type "integer"), '
                'with spelling="plain"',
                'what may come: more of the number or "}"',
            ],
        ),
        (
            [],
            '{"name": "x"',
            [
                "refused at line 1, column 13",
                "value: (root)",
                'reason: the text is unfinished, and would end with ",\\"age\\":0}"',
                'what may come: "," and then the key "age"',
            ],
        ),
    ],
)
def test_explain(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    text: str,
    lines: list[str],
) -> None:
    schema = write(tmp_path / "s.json", PERSON)
    (tmp_path / "text.json").write_text(text, encoding="utf-8")
    status = main(["explain", schema, str(tmp_path / "text.json"), *options])
    assert capsys.readouterr().out.splitlines() == lines
    assert status == (lines != ["valid"])


def test_explain_of_other_notations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for notation, source, good, bad, rule in (
        ("gbnf", 'root ::= digit ("+" digit)*\ndigit ::= [0-9]\n', "1+2\n", "1+a\n", "digit"),
        ("lark", 'start: "a" B\nB: /b+/\n', "abb\n", "abc", "B"),
        ("regex", "a+b\n", "aab\n", "aac", ""),
    ):
        grammar = write(tmp_path / "grammar", source)
        arguments = ["explain", f"--{notation}", grammar]
        assert main([*arguments, write(tmp_path / "good", good)]) == 0
        assert capsys.readouterr().out == "valid\n"
        assert main([*arguments, write(tmp_path / "bad", bad)]) == 1
        out = capsys.readouterr().out
        assert out.startswith("refused at line 1, column 3\nreason: ")
        assert rule in out
    assert main(["explain", "--gbnf", write(tmp_path / "grammar", "root ::= ("), grammar]) == 1
    one_line_error(capsys)
    with pytest.raises(SystemExit) as exit_:
        main(["explain", "-", "-"])
    assert exit_.value.code == 2


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin1").write_bytes(b'"\xe9"')
    for path in (tmp_path / "missing", tmp_path, tmp_path / "latin1"):
        assert main(["check", str(path)]) == 1
        assert str(path) in one_line_error(capsys)


def run(*arguments: str, redirect: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own; `redirect` as the shell takes it."""
    command = shlex.join([sys.executable, "-m", "schemask", *arguments])
    shell = ["bash", "-c", f"{command} {redirect}"]
    return subprocess.run(shell, capture_output=True, **options)


def test_a_schema_from_standard_input() -> None:
    done = run("check", "-", input='\ufeff{"const": [1, "é"]}'.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert 'example: [1, "é"]\n'.encode() in done.stdout


def test_a_schema_is_read_to_the_last_digit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path / "s.json", '{"const": 0.12345678901234567890123}')]) == 0
    assert "example: 0.12345678901234567890123\n" in capsys.readouterr().out


def test_text_is_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "é😀"}]}, ensure_ascii=False)
    text = f"\ufeff{line}\r\n\r\n{line}".encode()
    written = '{"text": "<|im_start|>user\\né😀<|im_end|>\\n"}\n'.encode() * 2
    (tmp_path / "data").write_bytes(text)
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    for arguments, given in ((["format", "-"], text), (["format", str(tmp_path / "data")], b"")):
        done = run(*arguments, input=given, env=environment)
        assert (done.returncode, done.stderr, done.stdout) == (0, b"", written)
    done = run("format", "-", input=b"\n\xff", env=environment)
    message = b"schemask: standard input: line 2: not UTF-8: byte 0xff, at column 1\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_a_byte_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    # In the block that is decoded, it stands elsewhere than in its line.
    good = json.dumps({"messages": [{"role": "user", "content": "x" * 900}]}).encode()
    path = tmp_path / "data.jsonl"
    path.write_bytes((good + b"\n") * 40 + "é".encode() + b"\xe4\n")
    with pytest.raises(DataError, match=r"data\.jsonl: line 41: not UTF-8: byte 0xe4") as told:
        list(lines(str(path)))
    assert (told.value.line, told.value.column) == (41, 2)


@pytest.mark.parametrize(
    ("redirect", "message"),
    [
        ("<&-", "standard input: Bad file descriptor"),
        (">&-", "standard output: not writable"),
        ("2>&-", ""),
    ],
)
def test_streams_that_are_closed(tmp_path: Path, redirect: str, message: str) -> None:
    data = "-" if redirect == "<&-" else write(tmp_path / "s.json", PERSON)
    for command in ("check", "format"):
        done = run(command, data, redirect=redirect)
        assert done.returncode == (0 if (command, redirect) == ("check", "2>&-") else 1)
        assert done.stderr.decode() == (f"schemask: {message}\n" if message else "") or (
            command == "format" and redirect == ">&-"  # the schema is no conversation
        )


@pytest.mark.parametrize("form", [TOOL_CODE, HERMES])
def test_format(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Any) -> None:
    tools = schemask.ToolSet(
        [{"name": "get_stock_price", "description": "Price.", "parameters": None}]
    )
    lines = [
        {"messages": MESSAGES, "tools": tools.definitions},
        {"messages": MESSAGES, "tools": json.dumps(tools.definitions)},
        {"messages": MESSAGES},
        {"user": "Apple?", "tool_call": CALL},
    ]
    data = write(tmp_path / "d.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    whole = form.render(MESSAGES, tools)
    expected = [whole, whole, form.render(MESSAGES)]

    assert main(["format", data, "--format", form.name]) == 0
    texts = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert texts[:3] == expected
    assert form.render_call(**CALL) in texts[3]

    out = tmp_path / "train.txt"
    assert main(["format", data, "--format", form.name, "--plain", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == "".join(texts)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: no JSON"),
        ("[]", "line 2: not a JSON object"),
        ('{"text": "a"}', "line 2: "),
        ('{"messages": [{"role": "robot", "content": ""}]}', "line 2: "),
        ('{"messages": [{"role": "user", "content": "<|im_end|>"}]}', "line 2: "),
        ('{"messages": [], "tools": [{"no": "name"}]}', "line 2: "),
        ('{"messages": [], "tools": "["}', "line 2: no JSON"),
        ('{"messages": [], "messages": []}', "line 2: no JSON"),
        ('{"messages": [], "n": NaN}', "line 2: no JSON"),
        (f'{{"messages": {"9" * 5000}}}', "line 2: no JSON"),
        ("[" * 100_000, "line 2: no JSON"),
        ('{"messages": [{"role": "tool", "name": 5, "content": ""}]}', "line 2: "),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "line 2: "),
    ],
)
def test_format_of_bad_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    good = json.dumps({"messages": MESSAGES})
    out = tmp_path / "out"
    data = write(tmp_path / "d.jsonl", f"{good}\n{line}\n")
    assert main(["format", data, "--out", str(out)]) == 1
    assert message in one_line_error(capsys)


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    """As in `schemask format ... | head -1`: no traceback."""
    line = json.dumps({"messages": MESSAGES}) + "\n"
    data = write(tmp_path / "d.jsonl", line * 2000)
    command = [sys.executable, "-m", "schemask", "format", data]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "chat_template.jinja", CHAT_TEMPLATE)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    spec = ChatFormat.from_template(CHAT_TEMPLATE).spec
    for path in (source, str(tmp_path)):
        assert main(["template", path, "--conversations", "12"]) == 0
        head, _, code = capsys.readouterr().out.partition("\n\n")
        assert head.startswith("derived: yes\nproven: 12 conversations, ")
        assert "\ncalls: any number in a turn\nreasoning: none\nfindings:\n" in head
        assert "\n- there are no {% generation %} blocks: " in head
        made: dict[str, Any] = {}
        *imports, expression = code.split("\n\n")
        exec("\n".join([*imports, f"spec = {expression}"]), made)
        assert dataclasses.replace(made["spec"], tokens=()) == spec
    assert main(["template", source, "--conversations", "12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["derived"], found["proven"], found["error"]) == (True, True, None)
    assert found["proof"]["conversations"] == 12
    assert found["format"]["call_open"] == spec.call_open
    assert {finding["kind"] for finding in found["findings"]} >= {"no_generation_blocks"}


def test_template_that_is_not_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lying = CHAT_TEMPLATE.replace("m.content", "m.content | replace('Berlin', 'Rome')")
    source = write(tmp_path / "lying.jinja", lying)
    assert main(["template", source]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("derived: yes\nproven: no\n")
    assert captured.err.startswith(f"schemask: {source}: the turn ")
    assert "Rome" in captured.err and captured.err.count("\n") == 1
    source = write(tmp_path / "silent.jinja", "{{ messages | length }}")
    assert main(["template", source, "--json"]) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["derived"], found["format"]) == (False, None)
    assert found["error"] in captured.err
    assert [finding["kind"] for finding in found["findings"]] == ["format", "no_user"]


def test_what_is_no_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing", tmp_path / "folder"):
        assert main(["template", str(path)]) == 1
        assert str(path) in one_line_error(capsys)
    assert main(["template", write(tmp_path / "broken", "{% if %}")]) == 1
    assert "line 1" in one_line_error(capsys)
    for wrong in (["--conversations", "0"], ["--seed", "-1"], []):
        with pytest.raises(SystemExit) as exit_:
            main(["template", *wrong, *(["x"] if wrong else [])])
        assert exit_.value.code == 2


def test_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str], gguf_path: Path) -> None:
    schema = write(tmp_path / "s.json", PERSON)
    arguments = ["generate", schema, "A person as JSON:", "--max-tokens", "40"]
    assert main([*arguments, "--model", str(gguf_path)]) == 0
    first = capsys.readouterr().out
    assert json.loads(first).keys() == {"name", "age"}
    # Without --model, the command finds this model by itself.
    assert main(arguments) == 0
    assert capsys.readouterr().out == first


def test_a_text_that_the_limit_cut_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = write(tmp_path / "s.json", {"type": "string", "minLength": 9})
    assert main(["generate", schema, "A long story as JSON:", "--max-tokens", "10"]) == 1
    captured = capsys.readouterr()
    assert isinstance(json.loads(captured.out), str)
    assert captured.err.startswith("schemask: --max-tokens 10 cut the text short")
    assert captured.err.count("\n") == 1
    assert main(["generate", schema, "\ud800"]) == 1
    assert "lone surrogate" in one_line_error(capsys)


def test_models_that_cannot_be_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = write(tmp_path / "s.json", PERSON)
    missing, broken = tmp_path / "missing.gguf", tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF?")
    for path in (missing, broken):
        assert main(["generate", schema, "A person:", "--model", str(path)]) == 1
        assert str(path) in one_line_error(capsys)


def test_synth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data.jsonl"
    arguments = ["synth", "write", write(tmp_path / "tools.py", TOOLS), "--out", str(out)]
    shares = ["--share", "call=1"]
    assert main([*arguments, *shares, "--count", "1", "--max-tokens", "256"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 1 lines, 1 of them new\nkinds: 1 call\n")
    [line] = out.read_text(encoding="utf-8").splitlines()
    [call] = json.loads(line)["messages"][1]["tool_calls"]
    assert call["function"]["name"] == "get_stock_price"
    assert isinstance(call["function"]["arguments"]["symbol"], str)
    assert main(["format", str(out)]) == 0


def test_synth_with_bad_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "none.py": ("x = 1\n", "@tool"),
        "object.json": ({"name": "a"}, "not a list"),
        "nameless.json": ([{"parameters": {}}], "needs a name"),
        "broken.json": ('[\n"a', "broken.json: line 2: no JSON"),
        "deep.json": ("[" * 100_000, "deep.json: no JSON"),
        "raises.py": ("\n1 / 0\n", "raises.py: line 2: ZeroDivisionError"),
        "syntax.py": ("\n\nx = (\n", "syntax.py: line 3: SyntaxError"),
        "imports.py": ("import json.nowhere\n", "imports.py: line 1: ModuleNotFoundError"),
        "exits.py": ("raise SystemExit(0)\n", "exits.py: line 1: SystemExit"),
        "tool.py": ("from schemask import tool\n@tool\ndef f(x): pass\n", "tool.py: line 2: f: "),
    }
    for name, (content, message) in files.items():
        tools = write(tmp_path / name, content)
        assert main(["synth", "write", tools, "--out", str(tmp_path / "out"), "--count", "1"]) == 1
        assert message in one_line_error(capsys)
    assert not (tmp_path / "out").exists()


def test_teachers_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synth = ["synth", "write", write(tmp_path / "tools.py", TOOLS), "--out", str(tmp_path / "out")]
    for options in (["--base-url", "x"], ["--openai", "m", "--model", "a.gguf"]):
        with pytest.raises(SystemExit) as exit_:
            main([*synth, *options])
        assert exit_.value.code == 2
        assert options[0] in capsys.readouterr().err


def test_shares_of_synth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synth = ["synth", "write", write(tmp_path / "tools.py", TOOLS), "--out", str(tmp_path / "out")]
    for share in ("call", "call=2", "call=x"):
        with pytest.raises(SystemExit):
            main([*synth, "--share", share])
        assert "--share" in capsys.readouterr().err
    assert main([*synth, "--share", "calls=1"]) == 1
    assert "call, parallel, chain" in one_line_error(capsys)
    with pytest.raises(SystemExit):
        main(["synth", "write", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert ", ".join(KINDS) in told


def test_synth_without_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    tools = write(tmp_path / "tools.py", TOOLS)
    arguments = ["synth", "write", tools, "--out", str(tmp_path / "out"), "--openai", "a-model"]
    assert main(arguments) == 1
    assert "OPENAI_API_KEY" in one_line_error(capsys)


def test_the_demo_calls_the_tool_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "What is Apple trading at?" in out
    assert (
        '<tool_code>{"name": "get_stock_price", "arguments": {"symbol": "AAPL"}}</tool_code>' in out
    )
    assert '{"symbol": "AAPL", "price": 150.0}' in out
    assert "Apple" in out.splitlines()[-1]


def test_the_demo_fails_if_no_tool_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "Thank you!"]) == 1
    assert "Result" not in capsys.readouterr().out
