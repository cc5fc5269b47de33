"""What is said of templates: the format as Python, and each thing that they do oddly."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import schemask.chat
from schemask.chat import FORMATS, ChatFormat, FormatSpec, as_python
from schemask.chat.printed import changed_fields, names_in
from schemask.chat.templates.report import TemplateReport, report
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

TRL = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"  # type: ignore[union-attr]
SPECIAL = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>")

# A template without a flaw, in parts that tests replace.
PARTS = {
    "check": "",
    "tools": "{% if tools %}{% for t in tools %}{{ t | tojson }}\n{% endfor %}{% endif %}",
    "system": "{{ m.content }}",
    "user": "{{ m.content }}",
    "tool": "{{ m.content }}",
    "open": "<|im_start|>assistant\n{% generation %}",
    "reasoning": "<think>\n{{ m.reasoning_content }}\n</think>\n\n",
    "words": "{{ m.content }}",
    "call": "<tool_call>{{ {'name': c.name, 'arguments': c.arguments} | tojson }}</tool_call>",
    "close": "<|im_end|>{% endgeneration %}\n",
    "prompt": "<|im_start|>assistant\n",
}
TEMPLATE = """\
[check][tools]{% for m in messages %}
{% if m.role == 'system' %}<|im_start|>system
[system]<|im_end|>
{% elif m.role == 'user' %}<|im_start|>user
[user]<|im_end|>
{% elif m.role == 'tool' %}<|im_start|>tool
[tool]<|im_end|>
{% else %}[open]\
{% if m.reasoning_content %}[reasoning]{% endif %}[words]\
{% for call in m.tool_calls %}{% set c = call.function %}[call]{% endfor %}[close]{% endif %}\
{% endfor %}{% if add_generation_prompt %}[prompt]{% endif %}"""


def template_of(special: tuple[str, ...] = SPECIAL, **parts: str) -> ChatTemplate:
    text = TEMPLATE
    for name, part in {**PARTS, **parts}.items():
        text = text.replace(f"[{name}]", part)
    return ChatTemplate.of(text, special_tokens=special)


def made(template: ChatTemplate) -> TemplateReport:
    return report(template, conversations=10)


def kinds(found: TemplateReport) -> list[str]:
    return [finding.kind for finding in found.findings]


def test_nothing_is_said_of_a_template_without_flaws() -> None:
    found = made(template_of())
    assert (found.error, found.findings, found.variables) == (None, (), ())
    assert found.spec == ChatFormat.from_template(template_of()).spec
    assert found.proof is not None
    assert (found.proof.conversations, found.proof.off_prompt) == (10, 0)
    # What stands between two turns belongs to neither.
    close = "<|im_end|>{% endgeneration %}{% if not loop.last %}\n{% endif %}"
    assert made(template_of(close=close)).findings == ()


REFUSE = "{{ raise_exception('no, thanks') }}"


@pytest.mark.parametrize(
    ("parts", "kind", "shown"),
    [
        ({"tools": ""}, "no_tools", ""),
        ({"system": ""}, "drops_system", ""),
        ({"system": REFUSE}, "refuses_system", "no, thanks"),
        (
            {"system": "{% if not loop.first %}" + REFUSE + "{% endif %}{{ m.content }}"},
            "refuses_later_system",
            "no, thanks",
        ),
        ({"tool": ""}, "drops_result", ""),
        ({"tool": REFUSE}, "refuses_result", "no, thanks"),
        (
            {
                "user": "{% if loop.previtem and loop.previtem.role == 'user' %}"
                + REFUSE
                + "{% endif %}{{ m.content }}"
            },
            "refuses_roles",
            "no, thanks",
        ),
        (
            {
                "open": "{% if loop.first %}" + REFUSE + "{% endif %}"
                "<|im_start|>assistant\n{% generation %}"
            },
            "refuses_roles",
            "no, thanks",
        ),
        (
            {"reasoning": "{% if loop.last %}" + PARTS["reasoning"] + "{% endif %}"},
            "drops_earlier_reasoning",
            "reasoning and words, then the user",
        ),
        (
            {"words": "{% if not loop.last %}So: {% endif %}{{ m.content }}"},
            "changes_earlier_turns",
            "So: Qzwordsq",
        ),
        (
            {
                "tools": "",
                "user": "{% if loop.last or messages[loop.index0 + 1].role != 'user' and "
                "messages[loop.index0 + 1:] | selectattr('role', 'equalto', 'user') | list "
                "| length == 0 %}" + PARTS["tools"] + "{% endif %}{{ m.content }}",
            },
            "moves_tools",
            "qz_on",
        ),
        (
            {"prompt": "<|im_start|>assistant\n<think>\n"},
            "off_prompt",
            "<think>",
        ),
        ({"close": "{% endgeneration %}"}, "open_end", "Qzwordsq"),
        ({"open": "<|im_start|>assistant\n", "close": "<|im_end|>\n"}, "no_generation_blocks", ""),
        (
            {"open": "{% generation %}<|im_start|>assistant\n"},
            "trains_prompt",
            "'<|im_start|>assistant\\n'",
        ),
        ({"close": "{% endgeneration %}<|im_end|>\n"}, "misses_end", "'<|im_end|>'"),
        ({"close": "<|im_end|>And so on.{% endgeneration %}"}, "trains_more", "'And so on.'"),
        (
            {"open": "<|im_start|>assistant\n", "words": "{% generation %}{{ m.content }}"},
            "misses_start",
            "'<think>\\nQzthoughtq\\n</think>\\n\\n'",
        ),
        (
            {
                "words": "{% endgeneration %}{{ m.content }}{% generation %}",
            },
            "misses_",
            "'Qzwordsq'",
        ),
        ({"user": "{{ m.content | trim }}"}, "trims_words", ""),
        ({"words": "{{ m.content | trim }}"}, "trims_words", ""),
        ({"check": "{{ strftime_now('%Y') }}"}, "date", ""),
        ({"check": "{{ bos_token }}"}, "unnamed_tokens", ""),
        ({"special": ()}, "unknown_tokens", "<|im_end|>"),
        ({"special": SPECIAL[1:]}, "plain_markers", "<|im_start|>"),
        ({"call": ""}, "format", ""),
        ({"reasoning": ""}, "format", ""),
        ({"user": "{% for part in m.content %}{{ part.text }}{% endfor %}"}, "wants_parts", ""),
        ({"user": ""}, "no_user", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_flaw_is_found(parts: dict[str, Any], kind: str, shown: str) -> None:
    found = made(template_of(**parts))
    named = [finding for finding in found.findings if finding.kind.startswith(kind)]
    assert named, kinds(found)
    assert shown in "\n".join(example for finding in named for example in (*finding.examples, ""))


def test_modes_and_variables() -> None:
    switch = "{% if not (enable_thinking | default(true)) %}<think>\n\n</think>\n\n{% endif %}"
    parts = {
        "prompt": "<|im_start|>assistant\n" + switch,
        "reasoning": PARTS["reasoning"] + "{% else %}<think>\n\n</think>\n\n",
    }
    found = made(template_of(**parts))
    assert found.error is None
    assert (found.thinking, found.plain) == ({}, {"enable_thinking": False})
    assert found.spec is not None
    assert found.spec.reasons
    assert found.variables == ("enable_thinking",)
    assert found.findings == ()


def test_one_call_and_words_beside_calls() -> None:
    parts = {
        "words": "{% if not m.tool_calls %}{{ m.content }}{% endif %}",
        "call": "{% if loop.first %}" + PARTS["call"] + "{% else %}" + REFUSE + "{% endif %}",
    }
    found = made(template_of(**parts))
    assert found.spec is not None
    assert (found.spec.max_calls, found.spec.words_with_calls) == (1, "none")
    assert kinds(found) == ["format", "format"]


def test_what_is_not_derived_is_looked_at_all_the_same() -> None:
    found = made(template_of(system=REFUSE, call="{{ c.name }}{{ c.arguments.values() | list }}"))
    assert found.spec is None
    assert found.error is not None
    assert "refuses_system" in kinds(found)
    assert not found.is_proven


def test_what_is_not_proven_is_shown() -> None:
    """A format that is derived, and wrong of some turns."""
    found = made(template_of(words="{{ m.content | replace('Berlin', 'Rome') }}"))
    assert found.spec is not None
    assert found.proof is None
    assert found.error is not None
    assert "Berlin" in found.error and "Rome" in found.error


def test_progress_and_options() -> None:
    steps: list[int] = []
    found = report(template_of(), conversations=25, seed=3, progress=steps.append)
    assert steps == [10, 15]
    assert found.proof is not None
    assert found.proof.conversations == 25
    assert found.proof.turns > 25
    assert report(template_of(), conversations=25, seed=3) == found
    for count in (0, True, "5"):
        with pytest.raises(FormatError, match="conversations"):
            report(template_of(), conversations=count)  # type: ignore[arg-type]


# Of what is found in templates that trl ships, those named `NAME_training` keep some.
@pytest.mark.parametrize(
    ("name", "there", "kept"),
    [
        ("qwen3", ["drops_earlier_reasoning", "changes_earlier_turns", "no_generation_blocks"], []),
        (
            "glm4moe",
            ["drops_earlier_reasoning", "open_end", "no_generation_blocks"],
            ["drops_earlier_reasoning"],
        ),
        (
            "gemma",
            ["no_tools", "no_generation_blocks", "refuses_system"],
            ["no_tools", "refuses_system"],
        ),
    ],
)
def test_templates_of_trl(name: str, there: list[str], kept: list[str]) -> None:
    before, after = (
        made(ChatTemplate.of(TRL / f"{stem}.jinja")) for stem in (name, f"{name}_training")
    )
    assert set(there) <= set(kinds(before))
    assert [kind for kind in there if kind in kinds(after)] == kept


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_formats_as_python(form: ChatFormat) -> None:
    text = as_python(form.spec)
    names = names_in(form.spec)
    assert set(names) <= set(schemask.chat.__all__)
    assert eval(text, {name: getattr(schemask.chat, name) for name in names}) == form.spec
    assert all(f"{name}=" in text for name in changed_fields(form.spec))


def test_defaults_are_left_out() -> None:
    spec = FormatSpec("own", "<a>", "</a>")
    assert as_python(spec) == "FormatSpec(name='own', call_open='<a>', call_close='</a>')"
