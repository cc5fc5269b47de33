"""Variants of conversations: other names, another order of tools, more of them, other words."""

from __future__ import annotations

import functools
import itertools
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemask._lines import Conversation
from schemask._settings import check_choice, check_share, check_whole
from schemask.chat.messages import Message
from schemask.errors import DataError, check_flags, shortened
from schemask.synth.outcomes import Outcome
from schemask.synth.paraphrase import Paraphraser, lost_value
from schemask.synth.renaming import Renaming, is_told, renamed, told_parameters
from schemask.synth.settings import digest_of
from schemask.synth.validity import Flaw, flaw_of, read_conversation
from schemask.synth.values import leaves_of
from schemask.tools import ToolSet

_FIRST = string.ascii_letters
_LATER = string.ascii_letters + string.digits + "_"


@dataclass(frozen=True, eq=False)
class Augment:
    """A stage that writes variants of each line.

    Names of tools and parameters are masked where descriptions say what they mean, so that a model
    learns to read these: calls, results and texts that mention them get the same new names. Tools
    from `pool` are offered beside the line's own, unless the line makes no call: there, a new tool
    could be the one that is wanted. Users' requests are said in other words, in which the values of
    arguments still stand. Each variant is checked as the line was: a renamed call is valid by the
    renamed schema.

    Attributes:
        copies: Lines that are written for each.
        keep_original: Whether the first of them is the line as it was.
        seed: Decides about everything that is drawn.
        mask: Share of variants in which names are masked.
        names: What masked names look like: "random" letters, or "neutral", such as `function_1`.
        shuffle: Whether tools are put into another order.
        distractors: The most tools that are taken from `pool`.
        pool: Definitions of tools.
        paraphrase: Says a request in other words, `(request, seed) -> text`, or None; see
            `ModelParaphraser`. It is pickled if there are several processes. Ledgers know it by its
            name, and by what its method `options` returns if it has one.

    Raises:
        DataError: A setting out of range or of a wrong type.
        ToolError: What cannot be a tool.
    """

    copies: int = 1
    keep_original: bool = False
    seed: int = 0
    mask: float = 1.0
    names: Literal["random", "neutral"] = "random"
    shuffle: bool = True
    distractors: int = 0
    pool: tuple[Mapping[str, Any], ...] = ()
    paraphrase: Paraphraser | None = None

    def __post_init__(self) -> None:
        check_whole("copies", self.copies, 1)
        check_whole("seed", self.seed)
        check_whole("distractors", self.distractors)
        check_share("mask", self.mask)
        check_choice("names", self.names, ("random", "neutral"))
        check_flags(DataError, keep_original=self.keep_original, shuffle=self.shuffle)
        if self.paraphrase is not None and not callable(self.paraphrase):
            raise DataError(f"paraphrase is a function, not {shortened(self.paraphrase)}")
        object.__setattr__(self, "pool", tuple(ToolSet.of(self.pool).definitions))
        if self.distractors and not self.pool:
            raise DataError("there is no pool to take distractors from")

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        return "augment"

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        made = self.paraphrase
        words: list[Any] | None = None
        if made is not None:
            named = made if hasattr(made, "__qualname__") else type(made)
            words = [f"{named.__module__}.{named.__qualname__}"]
            if callable(options := getattr(made, "options", None)):
                words.append(options())
        return {
            "copies": self.copies,
            "keep_original": self.keep_original,
            "seed": self.seed,
            "mask": self.mask,
            "names": self.names,
            "shuffle": self.shuffle,
            "distractors": self.distractors,
            "pool": digest_of(self.pool),
            "paraphrase": words,
        }

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """The variants of a line.

        Args:
            example: The line.
            index: Its number in the input, from 0.
        """
        read = read_conversation(example)
        if isinstance(read, Flaw):
            return Outcome(refused=read.reason, detail=read.detail)
        draw = random.Random(f"{self.seed}/{self.name}/{index}")
        others = {k: v for k, v in example.items() if k not in ("user", "tool_call")}
        made = [example] if self.keep_original else []
        lost: Flaw | None = None
        for _ in range(self.copies - len(made)):
            variant = self._variant(read, draw)
            if isinstance(variant, Flaw):
                lost = variant
                continue
            messages, tools = variant
            line = {**others, "messages": messages, "tools": tools}
            if line in made:
                lost = lost or Flaw("nothing to change", "a variant is as another one")
            else:
                made.append(line)
        if made:
            return Outcome(tuple(made), detail=lost.detail if lost is not None else "")
        assert lost is not None
        return Outcome(refused=lost.reason, detail=lost.detail)

    def _variant(
        self, line: Conversation, draw: random.Random
    ) -> tuple[list[Message], list[dict[str, Any]]] | Flaw:
        messages, tools = list(line.messages), line.tools.definitions
        if self.distractors and any("tool_calls" in message for message in messages):
            tools += self._distractors(tools, draw)
        if self.shuffle:
            draw.shuffle(tools)
        if self.paraphrase is not None:
            said = self._in_other_words(messages, draw)
            if isinstance(said, Flaw):
                return said
            messages = said
        if draw.random() < self.mask:
            messages, tools = renamed(messages, tools, self._mask(tools, draw))
        return flaw_of(messages, ToolSet(tools)) or (messages, tools)

    def _distractors(
        self, tools: list[dict[str, Any]], draw: random.Random
    ) -> list[dict[str, Any]]:
        """Tools of the pool that are none of the line's, by name or by what they do."""
        known = {_bare(tool) for tool in tools}
        told = {tool["function"].get("description", "") for tool in tools} - {""}
        fitting = [
            tool
            for tool in self.pool
            if _bare(tool) not in known and tool["function"].get("description") not in told
        ]
        chosen = draw.sample(fitting, min(draw.randint(0, self.distractors), len(fitting)))
        return [dict(tool) for tool in chosen]

    def _in_other_words(self, messages: list[Message], draw: random.Random) -> list[Message] | Flaw:
        assert self.paraphrase is not None
        calls = (call for message in messages for call in message.get("tool_calls", ()))
        values = list(leaves_of([call["function"]["arguments"] for call in calls]))
        said = []
        for place, message in enumerate(messages):
            if message["role"] != "user":
                said.append(message)
                continue
            text = self.paraphrase(message["content"], draw.getrandbits(31))
            if not isinstance(text, str) or not text.strip():
                return Flaw("no paraphrase", f"message {place}: {shortened(text)}")
            if (value := lost_value(message["content"], text, values)) is not None:
                return Flaw("ungrounded", f"message {place}: {value!r} stands there no longer")
            said.append({**message, "content": text})
        return said

    def _mask(self, tools: list[dict[str, Any]], draw: random.Random) -> Renaming:
        told = {tool["function"]["name"]: tool for tool in tools}
        keys = {name: tool["function"]["parameters"] for name, tool in told.items()}
        taken = {*told, *(key for schema in keys.values() for key in schema.get("properties", ()))}
        new = functools.partial(next, self._new_names("function", taken, draw))
        functions = {name: new() for name, tool in told.items() if is_told(tool)}
        new = functools.partial(next, self._new_names("parameter", taken, draw))
        # One name for all parameters of a name: what one tool returns, another takes.
        described = {name: told_parameters(schema) for name, schema in keys.items()}
        named = {key: new() for key in dict.fromkeys(itertools.chain(*described.values()))}
        parameters = {name: {key: named[key] for key in found} for name, found in described.items()}
        return Renaming(functions, parameters)

    def _new_names(self, kind: str, used: set[str], draw: random.Random) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            name = f"{kind}_{number}"
            if self.names == "random":
                length = draw.randint(3, 9)
                name = draw.choice(_FIRST) + "".join(draw.choices(_LATER, k=length))
            if name not in used:
                used.add(name)
                yield name


def _bare(tool: Mapping[str, Any]) -> str:
    """The name of a tool without what only spells it: `getWeather` is `get_weather`."""
    return "".join(filter(str.isalnum, tool["function"]["name"])).casefold()
