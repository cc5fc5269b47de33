"""Strings that hold no stop and satisfy simple conditions, as grammars in EBNF.

What is built is an automaton. Its states say how much of a stop has been read, and for each
condition how far it is from being decided.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

_MOST_STATES = 2000

_State: TypeAlias = Hashable
_Letter: TypeAlias = "str | None"  # None: any character that nothing names


class Condition(Protocol):
    """A condition on strings, decided letter after letter."""

    @property
    def letters(self) -> str:
        """The characters that it names."""

    def start(self) -> _State:
        """The state before the first letter."""

    def after(self, state: _State, letter: _Letter) -> _State:
        """The state after a letter; None if no string goes on like that."""

    def accepts(self, state: _State) -> bool:
        """Whether a string may end there."""

    def is_settled(self, state: _State) -> bool:
        """Whether whatever follows satisfies the condition."""


@dataclass(frozen=True)
class Length:
    """From so many to so many characters."""

    least: int
    most: int | None
    letters: str = ""

    def start(self) -> _State:
        return 0

    def after(self, state: _State, letter: _Letter) -> _State:
        assert isinstance(state, int)
        if self.most is None:
            return min(state + 1, self.least)
        return state + 1 if state < self.most else None

    def accepts(self, state: _State) -> bool:
        assert isinstance(state, int)
        return state >= self.least

    def is_settled(self, state: _State) -> bool:
        return self.most is None and self.accepts(state)


@dataclass(frozen=True)
class NoneOf:
    """None of some words."""

    words: tuple[str, ...]

    @property
    def letters(self) -> str:
        return "".join(self.words)

    def start(self) -> _State:
        return ""

    def after(self, state: _State, letter: _Letter) -> _State:
        if state is True or letter is None:
            return True
        assert isinstance(state, str)
        read = state + letter
        return read if any(word.startswith(read) for word in self.words) else True

    def accepts(self, state: _State) -> bool:
        return state not in self.words

    def is_settled(self, state: _State) -> bool:
        return state is True


@dataclass(frozen=True)
class NotFirst:
    """No string whose first character, but for white space, is one of some."""

    characters: str
    space: str = " \t\n\r"

    @property
    def letters(self) -> str:
        return self.characters + self.space

    def start(self) -> _State:
        return False

    def after(self, state: _State, letter: _Letter) -> _State:
        if state is True or letter is None or letter not in self.letters:
            return True
        return None if letter in self.characters else False

    def accepts(self, state: _State) -> bool:
        return True

    def is_settled(self, state: _State) -> bool:
        return state is True


class Automaton:
    """The strings that hold no stop and satisfy all conditions.

    Args:
        stops: The stops.
        conditions: The conditions.
        escapes: How characters are spelt that do not stand for themselves. Stops are those of the
            text as it is spelt, conditions those of the string.
    """

    def __init__(
        self,
        stops: Sequence[str],
        conditions: Sequence[Condition],
        escapes: Mapping[str, str] | None = None,
    ) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._starts = {stop[:end] for stop in self._stops for end in range(len(stop))} | {""}
        self._conditions = conditions
        self._escapes = dict(escapes or {})
        spelt = "".join((*self._stops, *self._escapes, *self._escapes.values()))
        named = {*spelt, *(letter for held in conditions for letter in held.letters)}
        self._letters: list[_Letter] = [*sorted(named), None]
        self._moves: list[dict[_Letter, int]] = []
        self._states: list[tuple[str, tuple[_State, ...]]] = []
        self.is_complete = self._explore()

    def _explore(self) -> bool:
        """Finds all states; False if there are too many."""
        start = ("", tuple(held.start() for held in self._conditions))
        numbers = {start: 0}
        self._states.append(start)
        for at, state in enumerate(self._states):
            if at >= _MOST_STATES:
                return False
            self._moves.append({})
            if self._is_settled(at):
                continue
            for letter in self._letters:
                if (after := self._after(state, letter)) is not None:
                    if after not in numbers:
                        numbers[after] = len(self._states)
                        self._states.append(after)
                    self._moves[at][letter] = numbers[after]
        return True

    def _after(
        self, state: tuple[str, tuple[_State, ...]], letter: _Letter
    ) -> tuple[str, tuple[_State, ...]] | None:
        read, held = state
        spelt = "\0" if letter is None else self._escapes.get(letter, letter)
        for character in spelt:
            read += character
            if any(read.endswith(stop) for stop in self._stops):
                return None
            while read not in self._starts:
                read = read[1:]
        after = tuple(
            condition.after(inner, letter)
            for condition, inner in zip(self._conditions, held, strict=True)
        )
        return None if None in after else (read, after)

    def _is_settled(self, number: int) -> bool:
        """Whether any text without stops may follow."""
        read, held = self._states[number]
        if self._escapes or read:
            return False
        conditions = zip(self._conditions, held, strict=True)
        return all(condition.is_settled(state) for condition, state in conditions)

    def _accepts(self, number: int) -> bool:
        conditions = zip(self._conditions, self._states[number][1], strict=True)
        return all(condition.accepts(state) for condition, state in conditions)

    def grammars(self) -> Grammars:
        """The strings, in two parts."""
        settled = {number for number in range(len(self._states)) if self._is_settled(number)}
        others = {number for number in range(len(self._states)) if self._accepts(number)} - settled
        return Grammars(self._grammar(settled, set()), self._grammar(others, settled))

    def _grammar(self, ends: set[int], without: set[int]) -> str | None:
        """The strings that lead to some states and through none of others; None if none do."""
        useful = set(ends)
        grew = True
        while grew:
            found = {
                number
                for number, moves in enumerate(self._moves)
                if number not in useful | without and useful.intersection(moves.values())
            }
            useful |= found
            grew = bool(found)
        if 0 not in useful:
            return None
        rules = ["root ::= s0"]
        for number in sorted(useful):
            ways = ['""'] if number in ends else []
            targets: dict[int, list[_Letter]] = {}
            for letter, target in self._moves[number].items():
                if target in useful:
                    targets.setdefault(target, []).append(letter)
            for target, letters in targets.items():
                ways += [f"{spelt} s{target}" for spelt in self._spelt(letters)]
            rules.append(f"s{number} ::= {' | '.join(ways)}")
        return "\n".join(rules) + "\n"

    def _spelt(self, letters: list[_Letter]) -> list[str]:
        """How EBNF names letters."""
        made = [
            '"' + "".join(_named(character) for character in self._escapes[letter]) + '"'
            for letter in letters
            if letter in self._escapes
        ]
        plain = [letter for letter in letters if letter not in self._escapes]
        if None in plain:
            missing = [letter for letter in self._letters if letter and letter not in plain]
            made.append(f"[^{''.join(map(_named, missing))}]" if missing else _ANY)
        elif plain:
            made.append(f"[{''.join(_named(letter) for letter in plain if letter)}]")
        return made


class Grammars(NamedTuple):
    """Strings in two parts, of which either may be missing.

    Attributes:
        openings: Beginnings after which any text without stops may follow.
        whole: Strings that are whole and have no such beginning.
    """

    openings: str | None
    whole: str | None


_ANY = r"[\u0000-\U0010ffff]"


def _named(character: str) -> str:
    return f"\\U{ord(character):08x}" if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
