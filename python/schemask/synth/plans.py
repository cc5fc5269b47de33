"""What to ask for, line by line: all of it drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from schemask.errors import DataError, shortened
from schemask.synth.kinds import KINDS, Kind
from schemask.synth.requests import TeacherRequest
from schemask.synth.traits import DIFFICULTIES, PERSONAS, STYLES
from schemask.tools import Tool, ToolSet

# So many answers for a line are refused before it may become one of another kind.
_PATIENCE = 4


class Plan:
    """Draws requests. The same arguments give the same request, whatever was asked before.

    Args:
        tools: All tools.
        seed: Decides about everything.
        shares: How many of all conversations are of each kind, in any order.
        chains: Which tools follow each other in a chain; None is any two of which the second takes
            arguments.
        most_tools: The most tools that are offered, beside those that are called; None is all.

    Raises:
        DataError: Chains that are none.
    """

    def __init__(
        self,
        tools: ToolSet,
        seed: int,
        shares: dict[Kind, float],
        chains: Iterable[Sequence[str]] | None,
        most_tools: int | None = None,
    ) -> None:
        self._tools = tools
        self._seed = seed
        self._weights = [shares[kind] for kind in KINDS]
        self._shares = shares
        self._most_tools = most_tools
        self._chains = None if chains is None else _checked_chains(chains, tools)
        self._second = [tool.name for tool in tools if _arguments(tool)]
        self._missing = {tool.name: names for tool in tools if (names := _required(tool))}

    def options(self) -> dict[str, Any]:
        """All that decides about the requests, as JSON."""
        return {
            "seed": self._seed,
            "shares": self._shares,
            "chains": self._chains,
            "most_tools": self._most_tools,
            "tools": {tool.name: tool.definition["function"] for tool in self._tools},
        }

    def request(self, index: int, attempt: int) -> TeacherRequest:
        """What to ask for at a line, after so many answers that were refused."""
        kind = self._kind(index, attempt // _PATIENCE)
        draw = random.Random(f"{self._seed}/write/{index}/{attempt}")
        withheld, missing = None, None
        if kind == "missing_tool":
            withheld = self._tools[draw.choice(self._tools.names)]
        targets = self._targets(kind, draw)
        if kind == "missing_value":
            missing = draw.choice(self._missing[targets[0]])
        traits = (PERSONAS, STYLES, DIFFICULTIES) if targets else (PERSONAS, STYLES)
        return TeacherRequest(
            index=index,
            attempt=attempt,
            seed=draw.getrandbits(31),
            kind=kind,
            tools=self._offered(targets, withheld, draw),
            targets=tuple(targets),
            hints=tuple(draw.choice(trait) for trait in traits),
            missing=missing,
            withheld_tool=withheld,
        )

    def _kind(self, index: int, round_: int) -> Kind:
        """The kind in a round: none of those of earlier rounds, as long as there are others."""
        tried: set[Kind] = set()
        for earlier in range(round_ + 1):
            draw = random.Random(f"{self._seed}/write/{index}/kind/{earlier}")
            left = [
                0.0 if self._possible(kind) in tried else weight
                for kind, weight in zip(KINDS, self._weights, strict=True)
            ]
            if not any(left):
                tried, left = set(), self._weights
            kind = self._possible(draw.choices(KINDS, left)[0])
            tried.add(kind)
        return kind

    def _possible(self, kind: Kind) -> Kind:
        """The kind itself, or the one that takes its place where the tools do not allow it."""
        if kind == "missing_value" and not self._missing:
            return "call"
        if kind == "chain" and not self._chains and (self._chains == [] or not self._has_pairs):
            return "call"
        if kind == "missing_tool" and len(self._tools) == 1:
            return "words"
        return kind

    @property
    def _has_pairs(self) -> bool:
        return len(self._tools) > 1 and bool(self._second)

    def _targets(self, kind: Kind, draw: random.Random) -> Sequence[str]:
        names = self._tools.names
        if kind == "chain":
            if self._chains is not None:
                return draw.choice(self._chains)
            second = draw.choice(self._second)
            return draw.choice([name for name in names if name != second]), second
        if kind == "missing_value":
            return [draw.choice(list(self._missing))]
        return draw.choices(names, k={"call": 1, "parallel": 2}.get(kind, 0))

    def _offered(
        self, targets: Sequence[str], withheld: Tool | None, draw: random.Random
    ) -> ToolSet:
        names = [name for name in self._tools.names if withheld is None or name != withheld.name]
        most = min(len(names), self._most_tools or len(names))
        offered = {*targets, *draw.sample(names, k=draw.randint(1, most))}
        # A set has no order that a seed decides.
        order = [name for name in names if name in offered]
        draw.shuffle(order)
        return ToolSet(self._tools[name] for name in order)


def _checked_chains(chains: Iterable[Sequence[str]], tools: ToolSet) -> list[list[str]]:
    if isinstance(chains, str) or not isinstance(chains, Iterable):
        raise DataError(f"chains are lists of names of tools, not {shortened(chains)}")
    checked = []
    for chain in chains:
        if isinstance(chain, str) or not isinstance(chain, Sequence) or len(chain) < 2:
            raise DataError(f"chains hold lists of two or more tools, not {shortened(chain)}")
        if unknown := [name for name in chain if name not in tools.names]:
            raise DataError(f"chains: there is no tool {shortened(unknown[0])}")
        checked.append(list(chain))
    return checked


def _arguments(tool: Tool) -> list[str]:
    properties = tool.parameters.get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _required(tool: Tool) -> list[str]:
    required = tool.parameters.get("required")
    known = _arguments(tool)
    return [name for name in required if name in known] if isinstance(required, list) else []
