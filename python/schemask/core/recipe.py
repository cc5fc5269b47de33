"""How grammars are made: what is kept of one where the grammar itself cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

_Kind = TypeVar("_Kind")


class Part(NamedTuple):
    """Stands for a recipe among the arguments of another one: its number in a list of recipes."""

    number: int


class Recipe(NamedTuple):
    """A call that makes a grammar.

    Attributes:
        step: A method of the extension's `Grammar`.
        arguments: What it takes: strings, numbers, lists and dicts of these, and the recipes of
            other grammars or, in a list of recipes, `Part`s.
    """

    step: str
    arguments: tuple[Any, ...]


def parts_of(whole: Recipe) -> list[Recipe]:
    """The recipes of a grammar and of all that it is made of, each after those it needs.

    One that is needed more than once is there once.

    Args:
        whole: The recipe of the grammar, which becomes the last one.
    """
    parts: list[Recipe] = []
    numbers: dict[int, int] = {}
    waiting = [whole]
    while waiting:
        recipe = waiting[-1]
        missing = [part for part in _held(recipe.arguments, Recipe) if id(part) not in numbers]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if id(recipe) not in numbers:
            numbers[id(recipe)] = len(parts)
            arguments = mapped(recipe.arguments, Recipe, lambda part: Part(numbers[id(part)]))
            parts.append(Recipe(recipe.step, arguments))
    return parts


def carried_out(parts: Sequence[Recipe], make: Callable[..., Any]) -> Any:
    """What the last of some recipes makes.

    Args:
        parts: As `parts_of` has them.
        make: Does a step, with grammars for the parts among its arguments.

    Raises:
        KeyError: There is no recipe, or one needs a part that comes later.
    """
    needed = [Counter(part.number for part in _held(step.arguments, Part)) for step in parts]
    uses = sum(needed, Counter())
    made: dict[int, Any] = {}
    for number, (step, arguments) in enumerate(parts):
        made[number] = make(step, *mapped(arguments, Part, lambda part: made[part.number]))
        # In a long chain, each grammar holds a copy of all before it.
        uses.subtract(needed[number])
        for part in needed[number]:
            if not uses[part]:
                made.pop(part, None)
    return made[len(parts) - 1]


def mapped(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """The value with all that is of some kind changed, in lists and tuples too."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, list):
        return [mapped(item, kind, change) for item in value]
    if type(value) is tuple:
        return tuple(mapped(item, kind, change) for item in value)
    return value


def _held(value: Any, kind: type[_Kind]) -> Iterator[_Kind]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _held(item, kind)
