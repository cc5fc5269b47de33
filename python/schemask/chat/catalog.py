"""The formats of chat that models were trained on, one definition each, and one of them by name."""

from __future__ import annotations

from schemask.chat.format import ChatFormat
from schemask.errors import FormatError, shortened

TOOL_CODE = ChatFormat(
    name="tool_code",
    call_open="<tool_code>",
    call_close="</tool_code>",
    call_padding="",
    call_separator="",
    result_role="tool",
    result_open="<tool_output>",
    result_close="</tool_output>",
    result_padding="",
    result_separator="\n",
    tools_intro="You can call these tools:",
    tools_outro=(
        '\nTo call a tool, write <tool_code>{"name": <tool name>, "arguments": <JSON object>}'
        "</tool_code> and nothing after it. If no tool is needed, answer in words."
    ),
)

# Byte for byte what the chat templates of Qwen2.5 and Qwen3 write.
HERMES = ChatFormat(
    name="hermes",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    result_role="user",
    result_open="<tool_response>",
    result_close="</tool_response>",
    result_padding="\n",
    result_separator="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    tools_intro=(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    ),
    tools_outro=(
        "\n</tools>\n\nFor each function call, return a json object with function name and "
        "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    ),
)


def _turns(
    opening: str, closing: str, assistant: str = "assistant", tool: str = "tool"
) -> tuple[tuple[str, str, str], ...]:
    """The turns of a format that differ by the name of the role alone."""
    roles = {"system": "system", "user": "user", "assistant": assistant, "tool": tool}
    return tuple((role, opening.replace("{role}", name), closing) for role, name in roles.items())


# The chat template of Qwen3-Coder; Qwen3.5 and Nemotron 3 write the same.
QWEN3_CODER = ChatFormat(
    name="qwen3_coder",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    call="<function={name}>\n{arguments}</function>",
    values="raw",
    argument="<parameter={key}>\n{value}\n</parameter>\n",
    result_role="user",
    result_padding="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
)

# The chat template of GLM 4.5 and 4.6.
GLM45 = ChatFormat(
    name="glm45",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_separator="\n",
    call="{name}\n{arguments}",
    values="raw",
    argument="<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n",
    result_padding="\n",
    reasoning_open="<think>",
    reasoning_close="</think>\n",
    turn_start="<|user|>",
    turn_end="<|observation|>",
    turns=(
        ("system", "<|system|>\n", ""),
        ("user", "<|user|>\n", ""),
        ("assistant", "<|assistant|>\n", ""),
        ("tool", "<|observation|>\n", ""),
    ),
)

_LLAMA3_TURNS = _turns(
    "<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>", tool="ipython"
)

# The chat templates of Llama 3.1 and 3.2, without their built-in tools.
LLAMA3_JSON = ChatFormat(
    name="llama3_json",
    call_open="",
    call_close="",
    call_members=(("name", "{name}"), ("parameters", "{arguments}")),
    max_calls=1,
    bare="{",
    result_open="",
    result_close="",
    turn_start="<|start_header_id|>",
    turn_end="<|eot_id|>",
    calls_end="<|eom_id|>",
    turns=_LLAMA3_TURNS,
)

# The prompts of Llama 3.2 and 4.
LLAMA4_PYTHONIC = ChatFormat(
    name="llama4_pythonic",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="[",
    calls_close="]",
    call="{name}({arguments})",
    values="python",
    argument="{key}={value}",
    argument_separator=", ",
    bare="[",
    result_open="",
    result_close="",
    turn_start="<|header_start|>",
    turn_end="<|eot|>",
    turns=_turns("<|header_start|>{role}<|header_end|>\n\n", "<|eot|>", tool="ipython"),
)

# The chat template of LFM2 and LFM2.5, but that strings have double quotes.
LFM2 = ChatFormat(
    name="lfm2",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call_start|>[",
    calls_close="]<|tool_call_end|>",
    call="{name}({arguments})",
    values="python",
    argument="{key}={value}",
    argument_separator=", ",
    result_open="<|tool_response_start|>",
    result_close="<|tool_response_end|>",
)

_MISTRAL_TURNS = (
    ("system", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    ("user", "[INST]", "[/INST]"),
    ("assistant", "", "</s>"),
    ("tool", "", ""),
)

# mistral_common, instruct tokenizer v3 to v7.
MISTRAL_V3 = ChatFormat(
    name="mistral_v3",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="[TOOL_CALLS][",
    calls_close="]",
    call_members=(("name", "{name}"), ("arguments", "{arguments}"), ("id", "{id}")),
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

# mistral_common, instruct tokenizer v11.
MISTRAL_V11 = ChatFormat(
    name="mistral_v11",
    call_open="[TOOL_CALLS]",
    call_close="",
    call="{name}[CALL_ID]{id}[ARGS]{arguments}",
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

# mistral_common, instruct tokenizer v13.
MISTRAL_V13 = ChatFormat(
    name="mistral_v13",
    call_open="[TOOL_CALLS]",
    call_close="",
    call="{name}[ARGS]{arguments}",
    reasoning_open="[THINK]",
    reasoning_close="[/THINK]",
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

_DEEPSEEK_TURNS = (
    ("system", "", ""),
    ("user", "<｜User｜>", ""),
    ("assistant", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
    ("tool", "", ""),
)

# The chat template of DeepSeek V3 and R1.
DEEPSEEK_V3 = ChatFormat(
    name="deepseek_v3",
    call_open="<｜tool▁call▁begin｜>",
    call_close="<｜tool▁call▁end｜>",
    call_separator="\n",
    calls_open="<｜tool▁calls▁begin｜>",
    calls_close="<｜tool▁calls▁end｜>",
    call="function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    result_open="<｜tool▁output▁begin｜>",
    result_close="<｜tool▁output▁end｜>",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
)

# The chat template of DeepSeek V3.1.
DEEPSEEK_V31 = ChatFormat(
    name="deepseek_v31",
    call_open="<｜tool▁call▁begin｜>",
    call_close="<｜tool▁call▁end｜>",
    calls_open="<｜tool▁calls▁begin｜>",
    calls_close="<｜tool▁calls▁end｜>",
    call="{name}<｜tool▁sep｜>{arguments}",
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="<｜tool▁output▁begin｜>",
    result_close="<｜tool▁output▁end｜>",
    result_separator="",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
)

# The encoding of DeepSeek V3.2, which marks whether a value is a string.
DEEPSEEK_V32 = ChatFormat(
    name="deepseek_v32",
    call_open='<｜DSML｜invoke name="',
    call_close="</｜DSML｜invoke>",
    call_separator="\n",
    calls_open="<｜DSML｜function_calls>\n",
    calls_close="\n</｜DSML｜function_calls>",
    call='{name}">\n{arguments}',
    values="raw",
    argument='<｜DSML｜parameter name="{key}" string="false">{value}</｜DSML｜parameter>\n',
    argument_string='<｜DSML｜parameter name="{key}" string="true">{value}</｜DSML｜parameter>\n',
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="<result>",
    result_close="</result>",
    turn_start="<｜User｜>",
    turn_end="<｜end▁of▁sentence｜>",
    turns=_DEEPSEEK_TURNS,
    tokens=("｜DSML｜", "<think>", "</think>", "<｜User｜>", "<｜end▁of▁sentence｜>"),
)

# The chat template of Kimi K2.
KIMI_K2 = ChatFormat(
    name="kimi_k2",
    call_open="<|tool_call_begin|>",
    call_close="<|tool_call_end|>",
    calls_open="<|tool_calls_section_begin|>",
    calls_close="<|tool_calls_section_end|>",
    call="functions.{name}:{index}<|tool_call_argument_begin|>{arguments}",
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="",
    result_close="",
    turn_start="<|im_user|>",
    turn_end="<|im_end|>",
    turns=tuple(
        (role, f"<|im_{kind}|>{role}<|im_middle|>", "<|im_end|>")
        for role, kind in {
            "system": "system",
            "user": "user",
            "assistant": "assistant",
            "tool": "system",
        }.items()
    ),
)

# The harmony format of gpt-oss. A turn is one message of a channel; reasoning is one before it.
HARMONY = ChatFormat(
    name="harmony",
    call_open="<|channel|>commentary to=functions.",
    call_close="",
    call="{name} <|constrain|>json<|message|>{arguments}",
    max_calls=1,
    words_open="<|channel|>final<|message|>",
    preamble_open="<|channel|>commentary<|message|>",
    preamble_close="<|end|><|start|>assistant",
    reasoning_open="<|channel|>analysis<|message|>",
    reasoning_close="<|end|><|start|>assistant",
    calls_end="<|call|>",
    result_open="",
    result_close="",
    turn_start="<|start|>",
    turn_end="<|return|>",
    turns=(
        ("system", "<|start|>system<|message|>", "<|end|>"),
        ("user", "<|start|>user<|message|>", "<|end|>"),
        ("assistant", "<|start|>assistant", "<|return|>"),
        ("tool", "<|start|>tool to=assistant<|channel|>commentary<|message|>", "<|end|>"),
    ),
)

# The formatting guide of FunctionGemma.
FUNCTION_GEMMA = ChatFormat(
    name="function_gemma",
    call_open="<start_function_call>",
    call_close="<end_function_call>",
    call="call:{name}{{arguments}}",
    values="marked",
    string_mark="<escape>",
    result_open="<start_function_response>",
    result_close="<end_function_response>",
    turn_start="<start_of_turn>",
    turn_end="<end_of_turn>",
    turns=_turns("<start_of_turn>{role}\n", "<end_of_turn>\n", assistant="model"),
)

# The chat template of Gemma 4.
GEMMA4 = ChatFormat(
    name="gemma4",
    call_open="<|tool_call>",
    call_close="<tool_call|>",
    call="call:{name}{{arguments}}",
    values="marked",
    string_mark='<|"|>',
    sort_keys=True,
    result_open="<|tool_response>",
    result_close="<tool_response|>",
    turn_start="<|turn>",
    turn_end="<turn|>",
    turns=_turns("<|turn>{role}\n", "<turn|>\n", assistant="model"),
)

_GRANITE_TURNS = _turns(
    "<|start_of_role|>{role}<|end_of_role|>", "<|end_of_text|>\n", tool="tool_response"
)

# The chat template of Granite 3.0, 3.2 and 3.3.
GRANITE3 = ChatFormat(
    name="granite3",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call|>[",
    calls_close="]",
    result_open="",
    result_close="",
    turn_start="<|start_of_role|>",
    turn_end="<|end_of_text|>",
    turns=_GRANITE_TURNS,
)

# The chat template of Granite 3.1.
GRANITE31 = ChatFormat(
    name="granite31",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<tool_call>[",
    calls_close="]",
    result_open="",
    result_close="",
    turn_start="<|start_of_role|>",
    turn_end="<|end_of_text|>",
    turns=_GRANITE_TURNS,
)

# The model card of Phi-4-mini.
PHI4_MINI = ChatFormat(
    name="phi4_mini",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call|>[",
    calls_close="]<|/tool_call|>",
    result_open="<|tool_response|>",
    result_close="<|/tool_response|>",
    turn_start="<|user|>",
    turn_end="<|end|>",
    turns=_turns("<|{role}|>", "<|end|>"),
)

# The tool-use template of Command R7B.
COMMAND_R7B = ChatFormat(
    name="command_r7b",
    call_open="",
    call_close="",
    call_separator=",\n    ",
    calls_open="<|START_ACTION|>[\n    ",
    calls_close="\n]<|END_ACTION|>",
    call_members=(
        ("tool_call_id", "{index}"),
        ("tool_name", "{name}"),
        ("parameters", "{arguments}"),
    ),
    words_open="<|START_RESPONSE|>",
    words_close="<|END_RESPONSE|>",
    reasoning_open="<|START_THINKING|>",
    reasoning_close="<|END_THINKING|>",
    result_open="<|START_TOOL_RESULT|>",
    result_close="<|END_TOOL_RESULT|>",
    turn_start="<|START_OF_TURN_TOKEN|>",
    turn_end="<|END_OF_TURN_TOKEN|>",
    turns=(
        ("system", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("user", "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("assistant", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("tool", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    ),
)

FORMATS: dict[str, ChatFormat] = {
    made.name: made
    for made in (
        TOOL_CODE,
        HERMES,
        QWEN3_CODER,
        GLM45,
        LLAMA3_JSON,
        LLAMA4_PYTHONIC,
        LFM2,
        MISTRAL_V3,
        MISTRAL_V11,
        MISTRAL_V13,
        DEEPSEEK_V3,
        DEEPSEEK_V31,
        DEEPSEEK_V32,
        KIMI_K2,
        HARMONY,
        FUNCTION_GEMMA,
        GEMMA4,
        GRANITE3,
        GRANITE31,
        PHI4_MINI,
        COMMAND_R7B,
    )
}


def chat_format(name_or_format: str | ChatFormat) -> ChatFormat:
    """The format of that name, or the format itself.

    Raises:
        FormatError: No format has that name.
    """
    if isinstance(name_or_format, ChatFormat):
        return name_or_format
    if not isinstance(name_or_format, str) or name_or_format not in FORMATS:
        raise FormatError(
            f"no chat format {shortened(name_or_format)}; there is {', '.join(FORMATS)}"
        )
    return FORMATS[name_or_format]
