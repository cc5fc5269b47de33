"""Lines whose requests were there before, word for word or nearly so."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from schemask._lines import conversation_of
from schemask._settings import check_choice, check_share, check_whole
from schemask.errors import DataError, Error, check_flags, missing
from schemask.schemas.equal_values import call_text
from schemask.synth.outcomes import Outcome, Reduction
from schemask.synth.words import jaccard, shingles_of, words_of
from schemask.tools import ToolSet

if TYPE_CHECKING:
    from datasketch import LeanMinHash, MinHash, MinHashLSH

# So many hash functions tell apart what differs by about a twentieth.
_PERMUTATIONS = 128
# A pair that is looked at in vain costs little; one that is overlooked stays in the data. So
# candidates are less alike, and of the two mistakes the second one counts more.
_MARGIN = 0.1
_WEIGHTS = (0.1, 0.9)


class Signature(NamedTuple):
    """What of a line is compared with other lines.

    Attributes:
        words: Digest of the requests' words.
        shingles: What near duplicates have in common.
        sketch: Their MinHash, by which they are found.
        group: Lines are duplicates within a group only.
    """

    words: bytes
    shingles: frozenset[str]
    sketch: LeanMinHash
    group: str


@dataclass(frozen=True)
class Deduplicate:
    """A stage that keeps the first line of those with the same request, or nearly the same.

    Requests are compared without case and punctuation; all that users say in a line is one text.
    Two are nearly the same if their shingles, the runs of `size` words or characters, have a
    Jaccard similarity of at least `threshold`: those that both have, of those that at least one
    has. Candidates are found by MinHash and then compared exactly, so no other line is refused;
    near duplicates may be overlooked, the more rarely the nearer they are.

    Attributes:
        threshold: The least similarity of near duplicates, above 0; 1 finds equal ones alone.
        shingles: Runs of "words" or "characters".
        size: How long they are.
        same_calls: Whether duplicates must make the same calls, which are compared as those of an
            evaluation; if not, a line may be lost whose request differs in one word, but by that in
            an argument, or whose request is the same where the tool is not offered.

    Raises:
        DataError: A setting out of range.
        DependencyError: datasketch is not installed.
    """

    threshold: float = 0.8
    shingles: Literal["words", "characters"] = "words"
    size: int = 3
    same_calls: bool = False

    def __post_init__(self) -> None:
        check_share("threshold", self.threshold)
        if not self.threshold:
            raise DataError("the threshold is above 0: all lines have that much in common")
        check_choice("shingles", self.shingles, ("words", "characters"))
        check_whole("size", self.size, 1)
        check_flags(DataError, same_calls=self.same_calls)
        _empty_sketch()

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "deduplicate"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        return {
            "threshold": self.threshold,
            "shingles": self.shingles,
            "size": self.size,
            "same_calls": self.same_calls,
        }

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The line with its signature, which `reduction` compares with those before.

        Args:
            example: The line.
            index: Its number in the input, from 0.
        """
        try:
            messages, tools = conversation_of(example)
        except Error as error:
            return Outcome(refused="wrong shape", detail=str(error))
        requests = "\n".join(m["content"] for m in messages if m["role"] == "user")
        words = words_of(requests)
        if not words:
            return Outcome(refused="no words", detail="users say nothing")
        parts = words if self.shingles == "words" else " ".join(words)
        shingles = frozenset(shingles_of(parts, self.size))
        group = ""
        if self.same_calls:
            turns = [message["tool_calls"] for message in messages if "tool_calls" in message]
            group = json.dumps([sorted(_texts_of(turn, tools)) for turn in turns])
        signature = Signature(
            hashlib.sha256(" ".join(words).encode("utf-8", "backslashreplace")).digest(),
            shingles,
            _sketch(shingles),
            group,
        )
        return Outcome((example,), value=signature)

    def reduction(self) -> Reduction:
        """A walk through the lines in their order, which refuses those that were there before."""
        return _Walk(self.threshold)


def _texts_of(calls: Sequence[Mapping[str, Any]], tools: ToolSet) -> Iterator[str]:
    """What the calls of a turn say, by which equal ones are known."""
    for call in calls:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        yield call_text(name, arguments, tools[name].parameters if name in tools else {})


class _Walk:
    """Remembers the lines that were kept."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._exact: dict[bytes, int] = {}
        self._kept: dict[int, Signature] = {}
        self._near: MinHashLSH | None = None

    def __call__(self, outcome: Outcome, index: int) -> Outcome:
        signature = outcome.value
        if not isinstance(signature, Signature):
            return outcome
        key = signature.words + signature.group.encode("utf-8", "backslashreplace")
        if (first := self._exact.get(key)) is not None:
            return Outcome(refused="duplicate", detail=f"the request of line {first + 1}")
        if (near := self._nearest(signature)) is not None:
            first, share = near
            detail = f"{share:.0%} of the request of line {first + 1}"
            return Outcome(refused="near duplicate", detail=detail)
        self._exact[key] = index
        self._kept[index] = signature
        self._sketches.insert(index, signature.sketch, check_duplication=False)
        return Outcome(outcome.examples, mended=outcome.mended, detail=outcome.detail)

    def _nearest(self, signature: Signature) -> tuple[int, float] | None:
        """The first line that is near enough, with how near it is."""
        for index in sorted(self._sketches.query(signature.sketch)):
            kept = self._kept[index]
            if kept.group == signature.group:
                share = jaccard(signature.shingles, kept.shingles)
                if share >= self._threshold:
                    return index, share
        return None

    @property
    def _sketches(self) -> MinHashLSH:
        if self._near is None:
            from datasketch import MinHashLSH

            least = max(self._threshold - _MARGIN, 0.05)
            self._near = MinHashLSH(least, num_perm=_PERMUTATIONS, weights=_WEIGHTS)
        return self._near


@functools.cache
def _empty_sketch() -> MinHash:
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise missing("datasketch", "synth", error) from error
    return MinHash(num_perm=_PERMUTATIONS, seed=1)


def _sketch(shingles: frozenset[str]) -> LeanMinHash:
    from datasketch import LeanMinHash

    sketch = _empty_sketch().copy()
    sketch.update_batch([shingle.encode("utf-8", "backslashreplace") for shingle in shingles])
    return LeanMinHash(sketch)
