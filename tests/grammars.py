"""Random grammars, and a slow reader of them that shares nothing with the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

LETTERS = "abc"


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Class:
    letters: str
    negated: bool = False


@dataclass(frozen=True)
class Sequence:
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Choice:
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Repeat:
    body: Any
    min: int
    max: int | None


@dataclass(frozen=True)
class Rule:
    index: int


Rules = tuple[Any, ...]


def rule_names(count: int) -> list[str]:
    return ["root", *(f"rule-{i}" for i in range(1, count))]


def expressions(rules: int) -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.sampled_from(["a", "b", "c", "ab", "ca", "", "abc"]).map(Text),
        st.builds(Class, st.sampled_from(["a", "bc", "ac"]), st.booleans()),
        st.integers(0, rules - 1).map(Rule),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Sequence(tuple(parts))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: Choice(tuple(parts))),
            st.builds(Repeat, inner, st.just(0), st.sampled_from([None, 1, 2])),
            st.builds(Repeat, inner, st.just(1), st.sampled_from([None, 3])),
            st.builds(Repeat, inner, st.just(2), st.just(2)),
        ),
        max_leaves=6,
    )


def grammars() -> st.SearchStrategy[Rules]:
    return st.integers(1, 4).flatmap(
        lambda count: st.tuples(*(expressions(count) for _ in range(count)))
    )


def ambiguous_grammars() -> st.SearchStrategy[Rules]:
    """Rules that call each other side by side, so that texts have very many readings."""

    def body(rules: int) -> st.SearchStrategy[Any]:
        part = st.one_of(
            st.integers(0, rules - 1).map(Rule), st.sampled_from(["a", "b", "ab", ""]).map(Text)
        )
        sequence = st.lists(part, min_size=1, max_size=4).map(lambda parts: Sequence(tuple(parts)))
        choice = st.lists(sequence, min_size=1, max_size=3)
        return choice.map(lambda parts: Choice((*parts, Text("a"))))

    return st.integers(1, 2).flatmap(lambda count: st.tuples(*(body(count) for _ in range(count))))


def show(expr: Any, names: list[str], leaf: Callable[[Any], str]) -> str:
    """An expression as GBNF and Lark both write it; `leaf` writes texts and classes."""
    inner = functools.partial(show, names=names, leaf=leaf)
    match expr:
        case Sequence(parts):
            return "(" + " ".join(map(inner, parts)) + ")"
        case Choice(parts):
            return "(" + " | ".join(map(inner, parts)) + ")"
        case Repeat(body, min, max):
            times = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((min, max))
            return f"({inner(body)})" + (times or f"{{{min},{'' if max is None else max}}}")
        case Rule(index):
            return names[index]
    return leaf(expr)


def to_gbnf(rules: Rules) -> str:
    names = rule_names(len(rules))

    def leaf(expr: Any) -> str:
        match expr:
            case Text(text):
                return f'"{text}"'
            case Class(letters, negated):
                return f"[{'^' if negated else ''}{letters}]"
        raise TypeError(expr)

    bodies = (show(body, names, leaf) for body in rules)
    return "\n".join(f"{name} ::= {body}" for name, body in zip(names, bodies, strict=True))


def to_lark(rules: Rules) -> str:
    """Letter by letter, so that no terminal is the beginning of another."""
    names = ["start", *(f"rule_{i}" for i in range(1, len(rules)))]

    def leaf(expr: Any) -> str:
        match expr:
            case Text(text):
                return "(" + " ".join(f'"{c}"' for c in text) + ")" if text else '""'
            case Class(letters, negated):
                kept = [c for c in LETTERS if (c in letters) != negated]
                return "(" + " | ".join(f'"{c}"' for c in kept) + ")"
        raise TypeError(expr)

    bodies = (show(body, names, leaf) for body in rules)
    return "\n".join(f"{name}: {body}" for name, body in zip(names, bodies, strict=True))


def productive(rules: Rules) -> set[int]:
    """The rules that some text satisfies."""
    known: set[int] = set()

    def is_productive(expr: Any) -> bool:
        match expr:
            case Sequence(parts):
                return all(map(is_productive, parts))
            case Choice(parts):
                return any(map(is_productive, parts))
            case Repeat(body, min, _):
                return min == 0 or is_productive(body)
            case Rule(index):
                return index in known
        return True

    while True:
        new = {i for i, body in enumerate(rules) if is_productive(body)}
        if new == known:
            return known
        known = new


class Reader:
    """Reads one text: for each rule and position, where its texts end, and whether the text ends
    within one. All rules must be productive, and so must all parts of them."""

    def __init__(self, rules: Rules, text: str) -> None:
        self.rules, self.text = rules, text
        positions = [(rule, at) for rule in range(len(rules)) for at in range(len(text) + 1)]
        self.ends: dict[tuple[int, int], set[int]] = {key: set() for key in positions}
        self.cut: set[tuple[int, int]] = set()
        changed = True
        while changed:
            changed = False
            for rule, at in positions:
                ends, cut = self.read(rules[rule], at)
                changed |= ends != self.ends[rule, at] or cut != ((rule, at) in self.cut)
                self.ends[rule, at] = ends
                if cut:
                    self.cut.add((rule, at))

    @property
    def accepts(self) -> bool:
        return len(self.text) in self.ends[0, 0]

    @property
    def is_begun(self) -> bool:
        """Whether some text of the grammar begins like this one."""
        return self.accepts or (0, 0) in self.cut

    def read(self, expr: Any, at: int) -> tuple[set[int], bool]:
        match expr:
            case Text(text):
                left = self.text[at:]
                if left.startswith(text):
                    return {at + len(text)}, False
                return set(), text.startswith(left)
            case Class(letters, negated):
                if at == len(self.text):
                    return set(), True
                return ({at + 1} if (self.text[at] in letters) != negated else set()), False
            case Sequence(parts):
                return self.one_after_another(
                    [lambda i, p=part: self.read(p, i) for part in parts], at
                )
            case Choice(parts):
                found = [self.read(part, at) for part in parts]
                return set().union(*(ends for ends, _ in found)), any(cut for _, cut in found)
            case Repeat(body, min, max):
                step: Callable[[int], tuple[set[int], bool]] = lambda i: self.read(body, i)  # noqa: E731
                ends, cut = self.one_after_another([step] * min, at)
                seen, new, times = set(ends), set(ends), min
                while new and (max is None or times < max):
                    times += 1
                    found = [step(i) for i in new]
                    cut |= any(is_cut for _, is_cut in found)
                    reached = set().union(*(more for more, _ in found))
                    new = reached if max is not None else reached - seen
                    seen |= reached
                return seen, cut
            case Rule(index):
                return self.ends[index, at], (index, at) in self.cut
        raise TypeError(expr)

    def one_after_another(self, steps: list[Any], at: int) -> tuple[set[int], bool]:
        ends, cut = {at}, False
        for step in steps:
            found = [step(i) for i in ends]
            ends = set().union(*(more for more, _ in found))
            cut |= any(is_cut for _, is_cut in found)
        return ends, cut
