"""Whether calls are those that BFCL expects, by the rules of its own checker for Python.

An expected call has a list of values for each parameter, any of which is right; the empty text
among them says that the parameter may be left out. Texts are compared without case, spaces and some
punctuation, but only where the rules say so: not in lists of lists, for instance.

The rules are those of `bfcl_eval.eval_checker.ast_eval.ast_checker`, also where they are odd, so
that figures can be compared. The difference is that where that raises an exception, such as on a
number where a list has objects, the answer is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from schemask.chat import ToolCall
from schemask.evaluation.verdicts import ArgumentVerdict, Fault, kind_of
from schemask.tools import Tool

# Python's types of values, by BFCL's names of them.
_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_IGNORED = re.compile(r"[ ,./\-_*^]")
_LEFT_OUT = ""

Answers = Sequence[Any]
"""The values of a parameter of which any is right."""


def compare_call(
    number: int,
    function: Mapping[str, Any],
    tool: Tool,
    answers: Mapping[str, Answers],
    call: ToolCall,
) -> tuple[ArgumentVerdict, ...]:
    """What is said of each argument of a call.

    Args:
        number: Which of the expected calls it is.
        function: BFCL's description of the function.
        tool: The function as the model is shown it.
        answers: The values of each parameter of which any is right.
        call: The call.
    """
    if call.name != tool.name:
        return (ArgumentVerdict(number, tool.name, "", "tool", "tool", tool.name, call.name),)
    described = function["parameters"]["properties"]
    shown = tool.parameters["properties"]
    required = function["parameters"].get("required") or []
    verdicts = []
    for name in dict.fromkeys([*described, *answers, *call.arguments]):
        fault: Fault = ""
        if name not in call.arguments:
            if name in required or (name in answers and _LEFT_OUT not in answers[name]):
                fault = "missing"
            elif name not in answers:
                continue
        elif name not in described or name not in answers:
            fault = "unexpected"
        else:
            fault = fault_of(call.arguments[name], answers[name], described[name])
        verdicts.append(
            ArgumentVerdict(
                number,
                tool.name,
                name,
                kind_of(shown.get(name)),
                fault,
                answers.get(name),
                call.arguments.get(name),
            )
        )
    return tuple(verdicts)


def fault_of(value: Any, answers: Answers, described: Mapping[str, Any]) -> Fault:
    """What is wrong with the value of a parameter.

    Args:
        value: The value.
        answers: The values of which any is right.
        described: BFCL's description of the parameter.
    """
    kind = described["type"]
    expected = _TYPES[kind]
    item = _TYPES[described["items"]["type"]] if expected is list else None
    if kind == "float" and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            return "value"
    # Where the answers are of another type than the parameter, they are names of variables.
    answered = _type_of(answers)
    if type(value) is expected:
        if item is not None and not any(_items_fit(value, answer, item) for answer in answers):
            return "type"
    elif answered is None or type(value) is not answered:
        return "type"
    if answered is not None and answered is not expected:
        is_right = value in answers
    elif expected is dict:
        is_right = _object_is_right(value, answers)
    elif item is dict:
        is_right = any(_objects_are_right(value, answer) for answer in answers)
    elif expected is str:
        is_right = _plain(value) in [_plain(answer) for answer in answers if type(answer) is str]
    elif expected is list:
        is_right = _choices(value) in [
            _choices(answer) for answer in answers if isinstance(answer, (list, str))
        ]
    else:
        is_right = value in answers
    return "" if is_right else "value"


def _type_of(answers: Answers) -> type | None:
    """The type of the first value; None if there is none."""
    return next((type(answer) for answer in answers if answer != _LEFT_OUT), None)


def _items_fit(value: Any, answer: Any, item: type) -> bool:
    if type(answer) is not list:
        return True
    answered = _type_of(answer)
    return all(type(part) in (item, answered) for part in value)


def _object_is_right(value: Any, answers: Answers) -> bool:
    return isinstance(value, dict) and any(
        all(key in answer and _plain(part) in _choices(answer[key]) for key, part in value.items())
        and all(key in value or _LEFT_OUT in choices for key, choices in answer.items())
        for answer in answers
        if isinstance(answer, dict)
    )


def _choices(choices: Any) -> list[Any]:
    return list(map(_plain, choices)) if isinstance(choices, (list, str)) else []


def _objects_are_right(value: Any, answer: Any) -> bool:
    return (
        isinstance(answer, (list, str, dict))
        and len(value) == len(answer)
        and all(_object_is_right(part, [whole]) for part, whole in zip(value, answer, strict=True))
    )


def _plain(value: Any) -> Any:
    """A text without what is not compared; anything else as it is."""
    if type(value) is not str:
        return value
    return _IGNORED.sub("", value).lower().replace("'", '"')
