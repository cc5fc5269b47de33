"""Grammars: sets of valid texts, made from JSON Schemas, tools and other notations."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from schemask import _native
from schemask.core.limits import Limits, limits_of
from schemask.core.recipe import Recipe, carried_out, mapped, parts_of
from schemask.errors import (
    Error,
    GrammarError,
    SchemaError,
    VocabularyError,
    check_flags,
    checked,
    shortened,
)
from schemask.schemas.key_order import arranged
from schemask.schemas.schema import closed, map_schema
from schemask.schemas.surrogates import surrogate_place

if TYPE_CHECKING:
    from typing_extensions import Self

    from schemask._native import CompiledGrammar, Vocabulary
    from schemask.chat import ChatFormat
    from schemask.tools import ToolsLike

_LOGGER = logging.getLogger(__name__)

Whitespace = Literal["flexible", "compact", "spaced"] | tuple[str, str]
PropertyOrder = Literal["schema", "any"]
Spelling = Literal["plain", "any"]


class Grammar:
    """A set of valid texts. Immutable; compile it for a vocabulary to get masks.

    Grammars combine: `a + b` is a text of `a` and then one of `b`, `a | b` a text of either, and a
    `str` beside a grammar stands for itself. `str(grammar)` shows one in the notation of GBNF, with
    `%json` for JSON values, `/…/` for patterns and `%until` for free text. A JSON value that is a
    part of another grammar has no whitespace around it.

    Common arguments of the constructors:
        whitespace: Between JSON tokens: `"flexible"` allows it anywhere, at most 32 characters in
            a row; `"compact"` nowhere; `"spaced"` is one space after each comma and colon, as
            `json.dumps` writes it. Or a pair of separators as `json.dumps` takes them, each with
            a space or without: `(",", ": ")` is a space after colons alone.
        indent: Each item and member on a line of its own, as `json.dumps` writes them with this
            `indent`: a number of spaces or a text of whitespace, at most 16 characters, which a
            line begins with once for each array and object around it; with none, there are line
            breaks alone. Empty arrays and objects are `[]` and `{}`. `whitespace` then says only
            what the separators are, `(",", ": ")` if nothing else.
        property_order: `"schema"`: keys come in the order of their first appearance in the schema,
            keys that it does not declare last. `"any"`: in any order.
        spelling: Of JSON strings and numbers. `"plain"`: as `json.dumps(…, ensure_ascii=False)` or
            JavaScript's `JSON.stringify` write them, so without needless escapes and zeros, and an
            integer has neither fraction nor exponent. `"any"`: as JSON allows, which is what checks
            texts of others.
        strict: Whether a keyword that is not supported exactly is an error. If not, it is ignored
            and listed in `warnings`.
        limits: Bounds of work and memory that differ from the defaults, such as
            `{"compile_work": 10_000_000}`; see `schemask.Limits`.
    """

    def __init__(self, native: _native.Grammar, recipe: Recipe | None = None) -> None:
        if not isinstance(native, _native.Grammar) or recipe is None:
            raise GrammarError("a Grammar is made by one of its constructors, such as from_gbnf")
        self._native = native
        # Of its parts, the recipes alone: their grammars may go.
        self._recipe = recipe

    @classmethod
    @checked(GrammarError)
    def from_json_schema(
        cls,
        schema: Any,
        whitespace: Whitespace = "flexible",
        property_order: PropertyOrder = "schema",
        spelling: Spelling = "plain",
        strict: bool = True,
        resources: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        additional_properties: bool = False,
        indent: int | str | None = None,
    ) -> Grammar:
        """All JSON texts that a schema accepts.

        Args:
            schema: A JSON Schema as a dict, a bool or a JSON string, which mean what JSON Schema
                says: objects are open unless `additionalProperties` closes them. Or a pydantic
                model, or any type that pydantic understands.
            whitespace: See the class.
            property_order: See the class.
            spelling: See the class.
            strict: See the class.
            resources: Documents that the schema may refer to, by URI; each like `schema`. An `$id`
                in them counts as well. The official meta-schemas are always at hand, and nothing is
                ever fetched. Places in these documents are given as their URI, `#` and the pointer.
            limits: See the class.
            additional_properties: Whether objects of pydantic models, dataclasses and TypedDicts
                may hold keys that the type does not declare. If not, a type can still say so itself
                (`extra="allow"`). It has no effect on a schema that is given as a dict or text.
            indent: See the class.

        Raises:
            UnsupportedSchemaError: The schema uses what is not supported exactly; `pointer` names
                the keyword.
            SchemaError: It is no JSON Schema, refers to nothing, or nothing satisfies it.
            LimitError: It is too large or too deep, or takes too much work or memory.
        """
        if not isinstance(resources, (Mapping, type(None))):
            raise SchemaError(f"resources map URIs to schemas, unlike {shortened(resources)}")
        check_flags(SchemaError, additional_properties=additional_properties)
        text = _schema_text(schema, additional_properties)
        others = [
            (uri, _schema_text(other, additional_properties))
            for uri, other in (resources or {}).items()
        ]
        bounds = limits_of(limits)
        return cls._of(
            "from_json_schema",
            text,
            _layout(whitespace, indent),
            property_order,
            spelling,
            strict,
            others,
            bounds,
        )

    @classmethod
    @checked(GrammarError)
    def from_tools(
        cls,
        tools: ToolsLike,
        format: str | ChatFormat = "tool_code",
        tool_choice: str = "auto",
        parallel: bool = True,
        whitespace: Whitespace | None = None,
        property_order: PropertyOrder = "schema",
        spelling: Spelling | None = None,
        strict: bool = True,
        min_calls: int = 1,
        max_calls: int | None = None,
        reasoning: bool | Literal["auto"] = "auto",
        prompt: str | None = None,
        limits: Limits | None = None,
        response_schema: Any = None,
        indent: int | str | None = None,
    ) -> Grammar:
        """The turns of an assistant that may call tools: what `ChatFormat.parse` reads.

        Args:
            tools: Tools, functions or definitions; see `Tool.from_definition`.
            format: How calls are written: a name of `schemask.chat.FORMATS`, such as
                `"hermes"`, or a `ChatFormat`.
            tool_choice: `"auto"`: words, calls, or words and then calls; `"required"`: at least one
                call; `"none"`: words only; or the name of the tool that must be called.
            parallel: Whether a turn may hold more than one call.
            whitespace: See the class; None is as the format writes JSON.
            property_order: See the class.
            spelling: See the class; None is as the format writes JSON.
            strict: See the class.
            min_calls: The fewest calls of a turn that calls.
            max_calls: The most calls of a turn.
            reasoning: Whether a block of reasoning may come first, in formats that have one.
                `"auto"`: if the model reasons unless told otherwise, or the prompt has opened it.
            prompt: The prompt that the turn continues, or its end: it may have opened reasoning, or
                closed it. If not given, it ends as prompts of the format do.
            limits: See the class.
            response_schema: What an answer must be, if it is not words but a JSON value: a schema
                as of `from_json_schema`. A turn then has calls or the value; its reader is
                `ChatFormat.reader` with `json_response=True`.
            indent: See the class. The JSON values of a turn are arguments, or what holds them, as
                the format says; each stands by itself, whatever text is around it.

        Raises:
            ToolError: Two tools of the same name.
            FormatError: An unknown format or tool, counts that leave nothing, or a format that
                could not tell a response in JSON from a call.
            UnsupportedSchemaError: Parameters that the format's notation of arguments cannot
                express.
            SchemaError: The parameters of a tool are refused; see `from_json_schema`.
        """
        from schemask.chat import chat_format
        from schemask.tools import ToolSet

        form = chat_format(format)
        response = None
        if response_schema is not None:
            response = json.loads(_schema_text(response_schema, False))
        tree = form.tree(
            ToolSet.of(tools),
            tool_choice,
            parallel,
            min_calls,
            max_calls,
            reasoning,
            prompt,
            response,
        )
        text = json.dumps(tree, ensure_ascii=False)
        notation = form.spec.arguments
        if whitespace is None:
            whitespace = notation.whitespace if indent is None else "flexible"
        if spelling is None:
            spelling = notation.spelling
        return cls._of(
            "from_tree",
            text,
            _layout(whitespace, indent),
            property_order,
            spelling,
            strict,
            notation.python_literals,
            limits_of(limits),
        )

    @classmethod
    @checked(GrammarError)
    def from_gbnf(cls, text: str, root: str = "root", limits: Limits | None = None) -> Grammar:
        """The texts of a grammar in GBNF, the notation of llama.cpp.

        Rules may be recursive in any way, also to the left.

        Args:
            text: The rules.
            root: The rule whose texts are meant.
            limits: See the class.

        Raises:
            GrammarError: It cannot be read, names rules that are not defined, or no text satisfies
                a rule; with `line` and `column`.
            LimitError: It is too large or nests too deeply.
        """
        return cls._of("from_gbnf", text, root, limits_of(limits))

    @classmethod
    @checked(GrammarError)
    def from_lark(
        cls,
        text: str,
        start: str = "start",
        whitespace: Whitespace = "flexible",
        property_order: PropertyOrder = "schema",
        spelling: Spelling = "plain",
        strict: bool = True,
        limits: Limits | None = None,
        indent: int | str | None = None,
    ) -> Grammar:
        """The texts of a grammar in the notation of Lark.

        Rules and terminals, their operators, `%ignore`, `%import common`, and what other engines
        for constrained decoding add: `%json {…}`, `&` and `~` on terminals, `<name>` and `<[1-3]>`
        for tokens. Terminals are not matched greedily: a grammar stands for
        all texts that some division into terminals explains.

        Args:
            text: The rules.
            start: The rule whose texts are meant.
            whitespace: Of JSON values; see the class.
            property_order: Of JSON values; see the class.
            spelling: Of JSON values; see the class.
            strict: Of their schemas; see the class.
            limits: See the class.
            indent: Of JSON values; see the class.

        Raises:
            GrammarError: It cannot be read, uses what is not supported (priorities, templates,
                lookarounds), names rules that are not defined, or no text satisfies a rule; with
                `line` and `column`.
            SchemaError: A schema in it is refused.
            LimitError: It is too large or nests too deeply.
        """
        bounds = limits_of(limits)
        return cls._of(
            "from_lark",
            text,
            start,
            _layout(whitespace, indent),
            property_order,
            spelling,
            strict,
            bounds,
        )

    @classmethod
    @checked(GrammarError)
    def from_regex(
        cls, pattern: str, search: bool = False, limits: Limits | None = None
    ) -> Grammar:
        """The texts that a regular expression matches as a whole.

        Args:
            pattern: In the syntax of ECMA-262 with Unicode semantics, as for the keyword `pattern`.
            search: Whether the texts are meant in which it matches somewhere.
            limits: See the class.

        Raises:
            GrammarError: It cannot be read, or matches nothing; with `line` and `column`.
            UnsupportedSchemaError: It uses backreferences.
            LimitError: It is too large or nests too deeply.
        """
        return cls._of("from_regex", pattern, search, limits_of(limits))

    @classmethod
    @checked(GrammarError)
    def literal(cls, text: str) -> Grammar:
        """Exactly this text.

        Args:
            text: The text.

        Raises:
            GrammarError: It is no string, or holds a lone surrogate.
        """
        return cls._of("literal", text)

    @classmethod
    @checked(GrammarError)
    def token(cls, token: int | str) -> Grammar:
        """One token, matched by its id and never by its text.

        Args:
            token: Its id, or its spelling in the vocabulary, special tokens first. Whether the
                vocabulary has it is seen when the grammar is compiled.

        Raises:
            GrammarError: It is neither an id nor a string.
            VocabularyError: An id that no vocabulary has.
        """
        return cls._of("named_token" if isinstance(token, str) else "token", token)

    @classmethod
    @checked(GrammarError)
    def free_text(cls, *stops: str, inclusive: bool = True) -> Grammar:
        """Any text that ends with the first stop that it holds.

        Args:
            stops: What ends the text.
            inclusive: Whether the stop is a part of it. If not, this is text without any stop in
                it; without stops, any text.

        Raises:
            GrammarError: A stop is empty, or there is none to be included.
        """
        return cls._of("free_text", list(stops), inclusive)

    @classmethod
    @checked(GrammarError)
    def reference(cls, name: str) -> Grammar:
        """The texts of a rule that `define` is yet to define: so rules can be recursive.

        Args:
            name: The name of the rule.

        Raises:
            GrammarError: It is no string, or holds a lone surrogate.
        """
        return cls._of("reference", name)

    @checked(GrammarError)
    def define(self, **rules: Grammar | str) -> Grammar:
        """This grammar with rules defined that were referred to, also by the rules themselves.

        Example:
            >>> nested = ("(" + Grammar.reference("nested") + ")").optional()
            >>> grammar = Grammar.reference("nested").define(nested=nested)

        Args:
            rules: What each of the rules stands for, by name.

        Raises:
            GrammarError: Nothing refers to a rule of that name.
            LimitError: It nests too deeply.
        """
        definitions = [(name, _grammar(rule)) for name, rule in rules.items()]
        return Grammar._of("define", self, definitions)

    @checked(GrammarError)
    def repeat(self, min: int = 0, max: int | None = None) -> Grammar:
        """From `min` to `max` of its texts, one after the other; without `max`, any number.

        Args:
            min: The fewest, from 0.
            max: The most; None is no bound.

        Raises:
            GrammarError: `max` is below `min`, or one of them is negative.
            LimitError: It nests too deeply.
        """
        try:
            return Grammar._of("repeat", self, min, max)
        except OverflowError as error:
            counts = f"{shortened(min)} to {shortened(max)}"
            message = f"a repetition from {counts} is not one of 32-bit counts"
            raise GrammarError(message) from error

    def in_order(self, value: Any) -> Any:
        """A JSON value with the keys of its objects in the order in which the grammar reads them.

        So data in any order becomes text that a model which follows the grammar could have written:

            >>> grammar = Grammar.from_json_schema({"properties": {"city": {}, "days": {}}})
            >>> json.dumps(grammar.in_order({"days": 2, "city": "Oslo"}))
            '{"city": "Oslo", "days": 2}'

        If the grammar takes the value with its keys in some order, it takes what comes out, spelled
        as it was. If not, the order is still that of the schema, in objects that begin before the
        value is wrong; those after that keep theirs. Undeclared keys come last, in their own order,
        and with `property_order="any"` all keys keep theirs.

        Args:
            value: What `json.dumps` writes; it stays as it is.

        Raises:
            GrammarError: The grammar is not one of a JSON Schema alone, or the value is not JSON.
            LimitError: It takes too much work; `pointer` is that of the place in the value.
        """
        try:
            return arranged(value, self._native)
        except Error:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            raise GrammarError(f"no JSON value: {error}") from error

    def to_gbnf(self) -> str:
        """The grammar in GBNF, for tools that only read that.

        Characters of JSON strings come in one spelling each, and whole numbers without fraction and
        exponent; but for that, the texts are the same.

        Raises:
            UnsupportedSchemaError: GBNF cannot say it: that keys or items differ, that one value
                decides what others must be, free text.
            LimitError: It takes too many rules, as fractions between bounds do.
        """
        return self._native.to_gbnf()

    def optional(self) -> Grammar:
        """One of its texts, or nothing."""
        return self.repeat(0, 1)

    def __add__(self, other: Grammar | str) -> Grammar:
        return Grammar._of("then", self, _grammar(other))

    def __radd__(self, other: str) -> Grammar:
        return _grammar(other) + self

    def __or__(self, other: Grammar | str) -> Grammar:
        return Grammar._of("or_", self, _grammar(other))

    def __ror__(self, other: str) -> Grammar:
        return _grammar(other) | self

    def __str__(self) -> str:
        return str(self._native)

    def __repr__(self) -> str:
        count = len(self.warnings)
        warnings = f", {count} warning{'s' if count > 1 else ''}" if count else ""
        source = SOURCES.get(self._recipe.step, "parts")
        return f"<Grammar from {source}{warnings}: {self._native.shown(60)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Grammar._from_parts, (parts_of(self._recipe),)

    def __copy__(self) -> Grammar:
        return self

    def __deepcopy__(self, memo: object) -> Grammar:
        return self

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """What was not honoured, as (JSON pointer, message)."""
        return self._native.warnings

    @checked(VocabularyError)
    def compile(self, vocabulary: Vocabulary) -> CompiledGrammar:
        """The grammar on a vocabulary: immutable, thread-safe and cheap to share.

        Args:
            vocabulary: The tokens of the model that is to write the texts.

        Raises:
            VocabularyError: It names a token that the vocabulary has not, or the vocabulary can
                spell none of its texts.
            LimitError: That was not found out, on a vocabulary without a token for each byte.
            GrammarError: A rule of a grammar that was put together is not defined, or no text
                satisfies one.
        """
        begin = time.perf_counter()
        compiled = self._native.compile(vocabulary, self)
        if _LOGGER.isEnabledFor(logging.DEBUG):
            ms = (time.perf_counter() - begin) * 1e3
            _LOGGER.debug("compiled %r for %d tokens in %.1f ms", self, vocabulary.size, ms)
        return compiled

    @classmethod
    def _of(cls, step: str, *arguments: Any) -> Self:
        given = mapped(arguments, Grammar, lambda part: part._native)
        begin = time.perf_counter()
        native = getattr(_native.Grammar, step)(*given)
        if step in SOURCES:
            ms = (time.perf_counter() - begin) * 1e3
            _LOGGER.debug("read a grammar from %s in %.1f ms", SOURCES[step], ms)
        return cls(native, Recipe(step, mapped(arguments, Grammar, lambda part: part._recipe)))

    @classmethod
    def _from_parts(cls, parts: Sequence[Recipe]) -> Self:
        made: Self = carried_out(parts, cls._of)
        return made


SOURCES = {
    "from_json_schema": "JSON Schema",
    "from_tree": "tools",
    "from_gbnf": "GBNF",
    "from_lark": "Lark",
    "from_regex": "a pattern",
    "literal": "a text",
    "named_token": "a token",
    "token": "a token",
    "free_text": "free text",
    "reference": "a reference",
}


def tree_grammar(
    start: Any,
    rules: Mapping[str, Any] | None = None,
    whitespace: Whitespace = "flexible",
    property_order: PropertyOrder = "schema",
    limits: Limits | None = None,
) -> Grammar:
    """The texts of a tree, the notation in which formats say what a turn is.

    Args:
        start: The tree, as JSON.
        rules: The trees to which it refers, by name.
        whitespace: Of JSON values; see `Grammar`.
        property_order: Of JSON values; see `Grammar`.
        limits: See `Grammar`.

    Raises:
        GrammarError: It is none.
        SchemaError: A schema in it is refused.
        LimitError: It is too large or nests too deeply.
    """
    tree = json.dumps({"start": start, "rules": dict(rules or {})}, ensure_ascii=False)
    spacing, bounds = _layout(whitespace, None), limits_of(limits)
    return Grammar._of("from_tree", tree, spacing, property_order, "plain", True, False, bounds)


_SEPARATORS = {
    (",", ":"): "compact",
    (", ", ": "): "spaced",
    (", ", ":"): "spaced commas",
    (",", ": "): "spaced colons",
}


def _layout(whitespace: Whitespace, indent: int | str | None) -> str:
    """The name by which the extension knows whitespace."""
    name = _separators(whitespace)
    if indent is None:
        return name
    if isinstance(indent, bool) or not isinstance(indent, (int, str)):
        raise GrammarError(
            f"indent is a number of spaces or a text of them, not {shortened(indent)}"
        )
    # No more than it takes to be refused.
    unit = indent if isinstance(indent, str) else " " * min(indent, 99)
    return f"{name} indented by {unit}"


def _separators(whitespace: Whitespace) -> str:
    """The name by which the extension knows separators."""
    if isinstance(whitespace, str):
        return whitespace
    try:
        return _SEPARATORS[tuple(whitespace)]  # type: ignore[index]
    except (KeyError, TypeError) as error:
        raise GrammarError(
            "whitespace is 'flexible', 'compact', 'spaced', or a pair of separators: ',' or ', ' "
            f"and ':' or ': ', not {shortened(whitespace)}"
        ) from error


def _grammar(part: Grammar | str) -> Grammar:
    if isinstance(part, Grammar):
        return part
    if isinstance(part, str):
        return Grammar.literal(part)
    raise GrammarError(f"a part of a grammar is a Grammar or a str, not {shortened(part)}")


def _schema_text(schema: Any, additional_properties: bool) -> str:
    if isinstance(schema, str):
        return schema
    if schema is None:
        raise SchemaError('the schema is None; {"type": "null"} allows nothing but null')
    if not isinstance(schema, (dict, bool)):
        try:
            schema = pydantic.TypeAdapter(schema).json_schema()
        except Exception as error:  # of pydantic, or of a type that somebody else wrote
            reason = str(error).partition("\n")[0]
            raise SchemaError(
                f"neither a JSON Schema nor a type with one: {shortened(schema)}: {reason}"
            ) from error
        if not additional_properties:
            schema = map_schema(schema, closed)
    try:
        text = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from error
    except RecursionError as error:
        raise SchemaError("the schema is nested too deeply to be written as JSON") from error
    # An escape is what a lone surrogate becomes, and so do characters that have two.
    if "\\ud" in text and (place := surrogate_place(schema)) is not None:
        message = f"a lone surrogate, which no text in UTF-8 can hold (at {place or 'the root'})"
        raise SchemaError(message, pointer=place)
    return text
