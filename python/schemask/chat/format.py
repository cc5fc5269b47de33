"""Chat formats: one definition that writes turns, constrains the assistant's, and reads it.

For a format `f`, a message `m` of the assistant and tools that take its calls:

- `f.parse(f.render_assistant(m, tools), tools).message == m`, whatever strings `m` holds; what the
  notation cannot write, `render_assistant` refuses;
- `f.render_assistant(m, tools)` is a text of the grammar that `f.tree(tools)` describes;
- every text of that grammar is one that `f.parse` reads, unless a number in it has more than
  `MAX_DIGITS` digits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemask.chat.events import turn_of
from schemask.chat.grammar import turn_tree
from schemask.chat.messages import Message, ParsedTurn, check_messages
from schemask.chat.reader import TurnReader
from schemask.chat.renderer import Renderer
from schemask.chat.response_template import response_template
from schemask.chat.spec import FormatSpec
from schemask.chat.structural_tag import structural_tag
from schemask.chat.templates.derivation import Derivation, derivation_of
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError, check_flags, shortened
from schemask.schemas.schema import Schema
from schemask.tools import ToolSet, ToolsLike


@dataclass(frozen=True, repr=False)
class ChatFormat:
    """A format that writes, constrains and reads turns. Immutable; equal if the data are.

    Args:
        spec: The format as data.
        derived: What it was derived from: see `from_template`.

    Raises:
        FormatError: `spec` is no `FormatSpec`.
    """

    spec: FormatSpec
    derived: Derivation | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.spec, FormatSpec):
            raise FormatError(f"a format is made of a FormatSpec, not of {shortened(self.spec)}")

    def __repr__(self) -> str:
        by = f" of {self.template}" if self.template is not None else ""
        return f"<ChatFormat {self.name}{by}>"

    @classmethod
    def from_template(
        cls,
        source: Any,
        *,
        bos_token: str = "",
        eos_token: str = "",
        special_tokens: Iterable[str] = (),
        name: str = "template",
    ) -> ChatFormat:
        """The format in which a model was trained: derived from its chat template, and proven.

        The template is made to render short conversations that differ in one thing each, and what
        differs in their texts becomes the fields of `spec`, which a person can read, correct and
        keep. Then random conversations are rendered by the template and written by the format: the
        texts must be the same, the grammar must accept them and the reader read them back. The
        format renders by the template itself.

        A template that writes no calls gives a format whose turns are the template's, and in whose
        words calls, results and tools are written by another format: the one of `FORMATS` whose
        tags the template names, else `"tool_code"`.

        Args:
            source: A tokenizer or processor of transformers; a `llama_cpp.Llama`; the path of a
                GGUF, of a template, or of a folder that transformers wrote; the text of a
                template; or a `ChatTemplate`.
            bos_token: Text of the token that begins a text, over what the source says.
            eos_token: Text of the token that ends one, over what the source says.
            special_tokens: Texts of special tokens, beside those of the source.
            name: Name of the format, in errors.

        Raises:
            FormatError: The source has no template; it does not write a question and an answer; or
                it writes a turn that the format writes otherwise, or that cannot be read back. The
                error shows the turn and the first text that differs.
            DependencyError: A library without which the source cannot be read is not installed.
        """
        template = source
        if not isinstance(source, ChatTemplate):
            template = ChatTemplate.of(
                source, bos_token=bos_token, eos_token=eos_token, special_tokens=special_tokens
            )
        derivation = derivation_of(template, name)
        return cls(derivation.spec, derivation)

    @property
    def template(self) -> ChatTemplate | None:
        """The template that renders conversations; None if the format does so itself."""
        return None if self.derived is None else self.derived.template

    def with_reasoning(self, on: bool) -> ChatFormat:
        """The format with prompts that make the model reason, or that make it not reason.

        Args:
            on: Whether it is to reason.

        Raises:
            FormatError: No variable of the template does that, or there is no template.
        """
        check_flags(FormatError, on=on)
        if self.derived is None:
            raise FormatError(f"{self.name} has no template whose prompts could be told to reason")
        derivation = self.derived.with_reasoning(on)
        return ChatFormat(derivation.spec, derivation)

    @property
    def name(self) -> str:
        """The name under which `FORMATS` lists it."""
        return self.spec.name

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which the turn of an unconstrained model is over."""
        return self.spec.stops

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: ToolsLike | None = None,
        add_generation_prompt: bool = False,
    ) -> str:
        """The whole conversation as text.

        Args:
            messages: Turns in the shape of transformers' chat templates.
            tools: Tools to list in the system turn, which is added if there is none. The arguments
                of their calls are written in the order in which the grammar reads them.
            add_generation_prompt: End with the opening of the assistant's turn.

        Raises:
            FormatError: A message of another shape, or content that holds a marker of the format
                and would be mistaken for it.
            ToolError: What cannot be a tool.
            LimitError: To find the order of a call's arguments takes too much work.
        """
        check_flags(FormatError, add_generation_prompt=add_generation_prompt)
        tool_set = ToolSet.of(tools or ())
        if self.derived is not None:
            return self.derived.writer.text(messages, tool_set, add_generation_prompt)
        return "".join(self._renderer.pieces(messages, tool_set, add_generation_prompt))

    def render_assistant(
        self,
        message: Mapping[str, Any],
        tools: ToolsLike | None = None,
        *,
        prompt: str | None = None,
    ) -> str:
        """What a model writes of an assistant's turn: from the end of the prompt to the end marker.

        Args:
            message: The turn in the shape of transformers' chat templates.
            tools: The tools whose grammar says in which order the arguments of their calls are
                written; those of calls of other tools keep their order.
            prompt: The prompt that the turn continues, or its end: it may have opened reasoning. If
                not given, it ends as prompts of the format do.

        Raises:
            FormatError: A message of another shape or role, or content that holds a marker of the
                format and would be mistaken for it.
            ToolError: What cannot be a tool.
            LimitError: To find the order of a call's arguments takes too much work.
        """
        checked = check_messages([message])[0]
        if checked["role"] != "assistant":
            raise FormatError(f"the message is not the assistant's but of {checked['role']!r}")
        return self._renderer.assistant(checked, ToolSet.of(tools or ()), self._opened(prompt))

    def render_call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        parameters: Schema | None = None,
        index: int = 0,
    ) -> str:
        """One call with its tags.

        Args:
            name: Name of the tool.
            arguments: Plain JSON values.
            parameters: JSON Schema of the arguments. If given, keys are written in the order in
                which the grammar of calls reads them, else in their own.
            index: Which call of the turn it is, in formats that count them.

        Raises:
            FormatError: Arguments that JSON, or the notation of arguments, cannot spell.
            LimitError: To find the order of the arguments takes too much work.
        """
        return self._renderer.call(name, arguments, parameters, index)

    def tool_message(self, name: str, text: str) -> Message:
        """The result of a tool as a message that can always be rendered.

        Text that holds a marker of the format (a web page that tries to end the turn, say) becomes
        a JSON string with the marker escaped.

        Args:
            name: The tool that was called.
            text: What it returned, as `result_text` gives it.

        Raises:
            FormatError: `name` or `text` is no string.
        """
        if not isinstance(name, str) or not isinstance(text, str):
            wrong = shortened(name if isinstance(text, str) else text)
            raise FormatError(f"the name and the text of a result are strings, not {wrong}")
        text = text.encode("utf-8", "backslashreplace").decode()
        if any(marker in text for marker in self._renderer.forbidden("tool")):
            text = dataclasses.replace(self.spec, escapes=True).write_json(text)
        return {"role": "tool", "name": name, "content": text}

    def tree(
        self,
        tools: ToolsLike,
        tool_choice: str = "auto",
        parallel: bool = True,
        min_calls: int = 1,
        max_calls: int | None = None,
        reasoning: bool | Literal["auto"] = "auto",
        prompt: str | None = None,
        response_schema: Schema | bool | None = None,
    ) -> dict[str, Any]:
        """The assistant's turns that are allowed, as the tree that `Grammar.from_tools` compiles.

        Args:
            tools: The tools that may be called.
            tool_choice: "auto" is words, then any number of calls (or none); "required" is calls
                alone, at least one; "none" is words alone; the name of a tool is one call of it.
            parallel: Whether one turn may hold several calls.
            min_calls: The fewest calls of a turn that calls.
            max_calls: The most calls of a turn.
            reasoning: Whether a block of reasoning may come first. "auto": if the model reasons
                unless told otherwise, or the prompt has opened reasoning.
            prompt: The prompt that the turn continues, or its end: it may have opened reasoning, or
                closed it. If not given, it ends as prompts of the format do.
            response_schema: What the words must be, if they are a JSON value. A turn then has calls
                or the value, and no words beside them.

        Raises:
            FormatError: An unknown `tool_choice`, a call demanded where there are no tools, counts
                that leave nothing, reasoning in a format without it, or a response in JSON in one
                that could not tell it from a call.
            ToolError: What cannot be a tool.
            UnsupportedSchemaError: A schema that the notation of arguments cannot express.
        """
        return turn_tree(
            self.spec,
            ToolSet.of(tools),
            tool_choice,
            parallel,
            min_calls,
            max_calls,
            reasoning,
            self._opened(prompt),
            response_schema,
        )

    def structural_tag(
        self,
        tools: ToolsLike,
        tool_choice: str = "auto",
        parallel: bool = True,
        min_calls: int = 1,
        max_calls: int | None = None,
        reasoning: bool | Literal["auto"] = "auto",
        prompt: str | None = None,
    ) -> dict[str, Any]:
        """The turns that `tree` allows, in the notation of xgrammar 0.2 and of servers that use it.

            compiler.compile_structural_tag(FORMATS["hermes"].structural_tag(tools))
            StructuredOutputsParams(structural_tag=json.dumps(...))  # vLLM

        The language is the same but for this:

        - JSON, which is left to xgrammar: it allows white space between the parts of JSON, any
          spelling of characters in strings, and checks fewer keywords of JSON Schema than it reads;
        - markers are texts, which special tokens spell as others do.

        Args:
            tools: The tools that may be called.
            tool_choice: As of `tree`.
            parallel: As of `tree`.
            min_calls: As of `tree`.
            max_calls: As of `tree`.
            reasoning: As of `tree`.
            prompt: As of `tree`.

        Raises:
            FormatError: As `tree`; or neither xgrammar's notation nor GBNF, of which parts of it
                may be made, can say what stands in the place of an argument.
            ToolError: What cannot be a tool.
            UnsupportedSchemaError: A schema that the notation of arguments cannot express.
        """
        tree = self.tree(tools, tool_choice, parallel, min_calls, max_calls, reasoning, prompt)
        return structural_tag(self.name, tree, self.spec.arguments)

    def response_template(self) -> dict[str, Any]:
        """The format for `tokenizer.parse_response` of transformers 5.13 or later.

            tokenizer.response_template = FORMATS["hermes"].response_template()
            message = tokenizer.parse_response(text, prefix=prompt)

        What `render_assistant` writes is read as `parse` reads it, tags in strings included, but
        - numbers past the range of floats, and integers of more than `MAX_DIGITS` digits;
        - where strings have no quotes (Qwen3-Coder, GLM, DeepSeek V3.2), `parse_response` needs
          `tools=`, and casts by its own rules: exact where the schema of a parameter names one
          `type`, or "string" and "null", itself, and whole numbers of the type "number" are those
          of floats. Do not pass `tools` with other formats: strings would be cast, too;
        - in the notation of FunctionGemma and Gemma 4, strings with the characters U+0001 and
          U+0002, and keys with dots or dashes, are errors;
        - words that spell the end of a call and the beginning of another are taken for a call.

        Nothing is checked: words after calls, unknown members and the like pass, other broken calls
        raise `ValueError`.

        Raises:
            FormatError: Templates cannot express the format: its values are Python's, or a call has
                no tag of its own.
        """
        return response_template(self.spec)

    def reader(
        self, tools: ToolsLike, *, prompt: str | None = None, json_response: bool = False
    ) -> TurnReader:
        """A reader of one turn that is fed with text as it comes.

        It reads what `parse` reads. What looks like a call and cannot be read is the event
        `CallFailed`, after which it goes on. What it has passed on as words cannot become
        reasoning: where the prompt may have opened that, `prompt` must be given, else the marker
        that closes it is left out of the words.

        Args:
            tools: The tools that may be called; `[]` if there are none. Where strings are written
                without quotes, their schemas tell strings from other values.
            prompt: The prompt that the turn continues, or its end: it may have opened reasoning. If
                not given, it ends as prompts of the format do.
            json_response: Whether the turn is one of the grammar with a `response_schema`: its
                words are one JSON value, in whose strings anything may stand.

        Raises:
            FormatError: A prompt that is no string, or `json_response` that is no bool.
            ToolError: What cannot be a tool.
        """
        check_flags(FormatError, json_response=json_response)
        return TurnReader(self.spec, ToolSet.of(tools), self._opened(prompt), json_response)

    def parse(self, text: str, tools: ToolsLike, *, prompt: str | None = None) -> ParsedTurn:
        """Reads the body of an assistant's turn, with or without the end marker.

        What models are known to write is read, too, though the grammar does not allow it: white
        space around the parts of a call and between its tags; closing tags that are missing at the
        end of the turn, or where the next call begins; Python's literals where calls are Python's;
        words after calls; the variants of the headers of harmony, and of the members of a JSON
        call. A closing tag inside a JSON string does not close the call. Words lose at most the one
        `preamble_close` that stands before the first call.

        Args:
            text: The body.
            tools: The tools that may be called; `[]` if there are none. Where strings are written
                without quotes, their schemas tell strings from other values; values of a tool that
                is not among them are taken for JSON wherever they look like it.
            prompt: The prompt that the turn continues, or its end: it may have opened reasoning. If
                not given, it ends as prompts of the format do, or has opened reasoning if the text
                closes some that it did not open.

        Raises:
            FormatError: With the line and column of what looks like a call and cannot be read (a
                `reader` passes on the others); or of text after the marker that ends the turn.
            ToolError: What cannot be a tool.
        """
        reader = self.reader(tools, prompt=prompt)
        if prompt is None and isinstance(text, str) and self.spec.closes_reasoning(text):
            reader = TurnReader(self.spec, ToolSet.of(tools), self.spec.reasoning_open)
        return turn_of([*reader.feed(text), *reader.finish()])

    def _opened(self, prompt: str | None) -> str:
        """The part of the turn that stands in the prompt."""
        if prompt is None:
            return self.spec.default_prompt
        if not isinstance(prompt, str):
            raise FormatError(f"a prompt is text, not {shortened(prompt)}")
        return self.spec.opened_by(prompt)

    @property
    def _renderer(self) -> Renderer:
        return Renderer(self.spec)
