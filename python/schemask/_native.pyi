from collections.abc import Sequence
from typing import Any, final

from typing_extensions import disjoint_base

__all__ = [
    "Allowed",
    "CompiledGrammar",
    "Explanation",
    "Grammar",
    "Matcher",
    "Preparation",
    "Vocabulary",
    "__version__",
    "apply_mask",
    "fill_masks",
    "prepare",
]

__version__: str

@disjoint_base
class Vocabulary:
    """The tokens of a model as bytes, its stop tokens and its special tokens. Immutable.

    Args:
        tokens: The bytes of each token, by id; empty for ids that no text can hold.
        stop_token_ids: Ids that end a generation; at least one.
        special_token_ids: Ids that are never text; their bytes are only a name.

    Raises:
        VocabularyError: No stop token, an id outside the vocabulary, or tokens that are too long or
            too many.
    """

    def __new__(
        cls,
        tokens: list[bytes],
        stop_token_ids: Sequence[int],
        special_token_ids: Sequence[int] = ...,
    ) -> Vocabulary: ...
    @property
    def size(self) -> int:
        """How many tokens there are, unused ids included."""
    @property
    def stop_token_ids(self) -> list[int]:
        """Ids that end a generation, ascending."""
    @property
    def special_token_ids(self) -> list[int]:
        """Ids that are never text, ascending; their bytes are only a name."""
    @property
    def unreachable_bytes(self) -> list[int]:
        """Bytes that can occur in UTF-8 and that no token spells alone.

        Text that needs one where no longer token fits cannot be written with this vocabulary.
        """
    def token(self, id: int) -> bytes:
        """The bytes of a token: of a special one its name, of an id that no text can hold none.

        Args:
            id: The token, from 0 to `size - 1`.

        Raises:
            TokenError: No token has that id.
        """
    def tokenize(self, data: bytes) -> list[int]:
        """Ids of the fewest tokens that spell `data`.

        They spell the same bytes as the model's own tokenizer, but are not always the same tokens.

        Args:
            data: Any bytes; UTF-8 if they are text.

        Raises:
            VocabularyError: No tokens spell it.
        """
    def packed(self) -> tuple[bytes, bytes]:
        """The bytes of all tokens, one after the other, and where each begins and the last ends:
        32-bit integers, the low byte first.
        """
    def __len__(self) -> int: ...

@final
class Grammar:
    """What a `schemask.Grammar` holds, whose methods say what these take."""

    @staticmethod
    def from_json_schema(
        schema: str,
        whitespace: str,
        property_order: str,
        spelling: str,
        strict: bool,
        resources: list[tuple[str, str]],
        limits: dict[str, float],
    ) -> Grammar: ...
    @staticmethod
    def from_tree(
        tree: str,
        whitespace: str,
        property_order: str,
        spelling: str,
        strict: bool,
        python_literals: bool,
        limits: dict[str, float],
    ) -> Grammar: ...
    def key_order(self, value: bytes) -> list[int]:
        """The order in which the keys of a JSON value are read, for a grammar of one JSON Schema.

        Args:
            value: The value as JSON.

        Returns:
            For each object, the numbers of its members in the text, in the order in which they are
            read; objects in the order in which they are read, each before those inside it.

        Raises:
            GrammarError: The grammar is another one, or the value is not JSON.
            LimitError: It takes too much work; `pointer` is that of a place in the value.
        """
    @staticmethod
    def from_gbnf(text: str, root: str, limits: dict[str, float]) -> Grammar: ...
    @staticmethod
    def from_lark(
        text: str,
        start: str,
        whitespace: str,
        property_order: str,
        spelling: str,
        strict: bool,
        limits: dict[str, float],
    ) -> Grammar: ...
    @staticmethod
    def from_regex(pattern: str, search: bool, limits: dict[str, float]) -> Grammar: ...
    @staticmethod
    def literal(text: str) -> Grammar: ...
    @staticmethod
    def token(id: int) -> Grammar: ...
    @staticmethod
    def named_token(name: str) -> Grammar: ...
    @staticmethod
    def free_text(stops: list[str], inclusive: bool) -> Grammar: ...
    @staticmethod
    def reference(name: str) -> Grammar: ...
    def then(self, other: Grammar) -> Grammar: ...
    def or_(self, other: Grammar) -> Grammar: ...
    def repeat(self, min: int, max: int | None) -> Grammar: ...
    def to_gbnf(self) -> str: ...
    def shown(self, length: int) -> str: ...
    def define(self, rules: list[tuple[str, Grammar]]) -> Grammar: ...
    @property
    def types(self) -> list[str]: ...
    @property
    def warnings(self) -> list[tuple[str, str]]: ...
    def compile(self, vocabulary: Vocabulary, source: Any = ...) -> CompiledGrammar: ...

@final
class CompiledGrammar:
    """A grammar on a vocabulary, as `Grammar.compile` makes it.

    It is immutable, and threads may share it.
    """

    def matcher(
        self, max_tokens: int | None = None, *, terminate_without_stop_token: bool = False
    ) -> Matcher:
        """A matcher at the start of a text.

        Args:
            max_tokens: A budget: only tokens are allowed after which the text can still be finished
                within so many, stop token not counted. None is no budget.
            terminate_without_stop_token: Whether the text has ended (`Matcher.is_terminated`) as
                soon as it may end and nothing else may come, also without a stop token.

        Returns:
            A matcher of its own; those of one grammar share what they find out.

        Raises:
            LimitError: No valid text is that short.
            TokenError: A negative number.
        """
    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the grammar was compiled for."""
    @property
    def grammar(self) -> Any:
        """The grammar that was compiled."""
    def save(self, path: Any) -> None:
        """Writes it to a file, from which `load` makes it again.

        The file is JSON: how the grammar was made, and the digest of the vocabulary. A grammar
        is compiled about as fast as its text is read, so nothing that was compiled is kept.

        Args:
            path: The file; what was there before is replaced.

        Raises:
            DataError: It cannot be written.
        """
    @staticmethod
    def load(path: Any, vocabulary: Any) -> CompiledGrammar:
        """A grammar that `save` wrote.

        Args:
            path: The file.
            vocabulary: The vocabulary that it was compiled for; another one with equal tokens will
                do.

        Raises:
            DataError: The file cannot be read, or holds no grammar that this version knows.
            VocabularyError: It was compiled for other tokens.
            Error: What making and compiling the grammar raises.
        """
    def __copy__(self) -> CompiledGrammar: ...
    def __deepcopy__(self, _memo: Any) -> CompiledGrammar: ...

@final
class Matcher:
    """Follows one text, token by token, and says which tokens may come next.

    `CompiledGrammar.matcher` makes it. One thread at a time may use it. What takes more work than
    the grammar's limits allow is a `LimitError`, and changes nothing.
    """

    @property
    def is_accepting(self) -> bool:
        """Whether the text may end here."""
    @property
    def is_terminated(self) -> bool:
        """Whether a stop token has ended the text.

        With `terminate_without_stop_token`, also whether nothing but one may come.
        """
    @property
    def token_count(self) -> int:
        """How many tokens have been accepted, stop tokens included."""
    # A bitmask is an int32 numpy array or torch CPU tensor, which no type can say without torch.
    def fill_mask(self, bitmask: Any, row: int = 0) -> None:
        """Writes which tokens may come next: bit `t % 32` of word `t // 32` is 1 if token `t` may.

        After the end, only the stop tokens may come.

        Args:
            bitmask: int32, writable, of shape `(batch, words)` or `(words,)`: a numpy array, as
                `allocate_mask` makes it, or a torch tensor on the CPU. Words past the vocabulary
                become 0.
            row: The row to write, from 0.

        Raises:
            MaskError: A bitmask of another type or shape, or no such row.
            LimitError: The mask takes too much work.
        """
    def fill_unaffordable(self, bitmask: Any, row: int = 0) -> bool:
        """Writes which tokens the budget alone forbids, and `fill_mask` leaves out for that reason.

        As long as there have been none at any step, a model has written what it would have written
        without a budget.

        Args:
            bitmask: int32, writable, of shape `(batch, words)` or `(words,)`, as for `fill_mask`.
            row: The row to write, from 0.

        Returns:
            Whether there are any.

        Raises:
            MaskError: A bitmask of another type or shape, or no such row.
            LimitError: To find the tokens takes too much work.
        """
    def accept(self, token_id: int) -> bool:
        """Goes on with a token. If it may not come, the answer is False and nothing has changed.

        Args:
            token_id: The token; a stop token ends the text.

        Returns:
            Whether it may come, as the bit of the token in the mask says; `explain` says why not.

        Raises:
            TokenError: The vocabulary has no such token.
            LimitError: It takes too much work; nothing has changed.
        """
    def accept_bytes(self, data: bytes) -> bool:
        """Goes on with bytes, as if they were one token; with a budget they count as one.

        If they may not come, the answer is False and nothing has changed.

        Args:
            data: The bytes, of any length; they need not end between two characters.

        Returns:
            Whether they may come; `explain_bytes` says why not.

        Raises:
            LimitError: It takes too much work; nothing has changed.
        """
    def explain(self, token_id: int) -> Explanation:
        """Why a token may not come next, or that it may. Nothing is accepted.

        To find the keywords that refuse it, the schema is read again without some of them, many
        times over: this is for people who look for a reason, not for each step of a generation.

        Args:
            token_id: The token.

        Returns:
            Where it is refused, and why, with the JSON pointers of the keywords; `str()` of it is a
            sentence.

        Raises:
            TokenError: The vocabulary has no such token.
            LimitError: It takes too much work to find out whether the token may come.
                If only the reason takes more than the limit `explain_work`, that is no error: then
                `kind` is `"undecided"`.
        """
    def explain_bytes(self, data: bytes) -> Explanation:
        """Why bytes may not come next, or that they may. Nothing is accepted.

        Args:
            data: The bytes, of any length; they need not end between two characters.

        Returns:
            Where they are refused, and why, with the JSON pointers of the keywords; `str()` of it
            is a sentence.

        Raises:
            LimitError: It takes too much work to find out whether they may come.
                If only the reason takes more than the limit `explain_work`, that is no error: then
                `kind` is `"undecided"`.
        """
    def explain_end(self) -> Explanation:
        """Why the text may not end here, or that it may. Nothing is accepted.

        Returns:
            Why it may not, with the JSON pointers of the keywords that ask for more; `str()` of it
            is a sentence.

        Raises:
            LimitError: It takes too much work to find out whether it may.
                If only the reason takes more than the limit `explain_work`, that is no error: then
                `kind` is `"undecided"`.
        """
    def allowed(self, limit: int = 10) -> Allowed:
        """What may come next: in words, and the first tokens that may.

        Args:
            limit: How many tokens are listed, by rising id, which in most vocabularies is from the
                most to the least frequent.

        Returns:
            The description, the number of all tokens that may come, and those that are listed.

        Raises:
            TokenError: A negative limit.
            LimitError: The mask takes too much work.
        """
    def forced_tokens(self) -> list[int]:
        """Tokens that spell the text that must follow, as far as there is no choice.

        Empty where the text may end. Characters of a string that have several spellings count as no
        choice; they come in the shortest one. Nothing is accepted.

        Raises:
            LimitError: It takes too much work.
        """
    def completion(self) -> bytes:
        """The bytes of a shortest valid ending; empty where the text may end.

        A token that must come by its id counts as one byte, and is spelled as the vocabulary spells
        it. Where no tokens spell the shortest ending, it is another one that some do.

        Raises:
            LimitError: It is too long, or none was found within the limits.
        """
    def rollback(self, count: int) -> None:
        """Takes back the last `count` tokens; what `accept_bytes` took counts as one.

        Args:
            count: How many, from 0 to `token_count`.

        Raises:
            TokenError: Fewer tokens have been accepted; nothing has changed.
        """
    def reset(self) -> None:
        """Back to the start of the text, with the whole budget."""
    def clone(self) -> Matcher:
        """Another matcher at the same place of the same text; each then goes its own way."""
    def __copy__(self) -> Matcher: ...
    def __deepcopy__(self, _memo: Any) -> Matcher: ...

@final
class Explanation:
    """Why a token or bytes may not come next, or that they may: what `Matcher.explain` returns.

    Immutable. `str()` of it is a sentence.
    """

    @property
    def allowed(self) -> bool:
        """Whether it may come."""
    @property
    def kind(self) -> str | None:
        """What kind of reason speaks against it; None if it may come.

        `"keyword"`: keywords of a schema, which `keywords` names, maybe together with `options`.
        `"option"`: options of the grammar alone, which `options` names. `"rule"`: the rules of a
        grammar, which `rules` names. `"repeated_key"`: the object has the key already. `"syntax"`:
        no JSON goes on like that. `"unfinished"`: the text may not end here; `keywords` names those
        that are to blame, if it would do without them. `"ended"`: the text has ended. `"special"`:
        the token is known by its id only, and the grammar does not name it. `"empty"`: the token
        has no text. `"budget"`: the text could not be finished within `max_tokens`.
        `"unspellable"`: the vocabulary has no tokens that finish the text. `"undecided"`: to tell
        takes more than the limit `explain_work`.
        """
    @property
    def reason(self) -> str:
        """The reason in words; empty if it may come."""
    @property
    def expected(self) -> str:
        """What may come in its place, in words, as in `Allowed.description`."""
    @property
    def offset(self) -> int:
        """Where it is refused: how many bytes of the text come before, from its start on."""
    @property
    def line(self) -> int:
        """The line of that place, from 1."""
    @property
    def column(self) -> int:
        """The character in that line, from 1."""
    @property
    def refused_byte(self) -> int | None:
        """Which byte of the token, or of the bytes, is the first that does not fit, from 0.

        None if none of them is to blame.
        """
    @property
    def value_pointer(self) -> str | None:
        """The JSON pointer of the value that is being read there, such as `"/items/3/price"`.

        It is `""` for the outermost value, and None outside of JSON.
        """
    @property
    def keywords(self) -> list[str]:
        """The JSON pointers in the schema of the keywords that refuse it.

        For example `"/properties/price/maximum"`. A schema that is `false` is named, too. Without
        all that is named here, it would not be refused; `oneOf` is read as `anyOf` then, unless it
        is named itself. A pointer into another document than the schema's own comes after the URI
        of the document and `#`.
        """
    @property
    def options(self) -> list[str]:
        """The arguments of the grammar that refuse it.

        They are among `"whitespace"`, `"indent"`, `"property_order"` and `"spelling"`.
        """
    @property
    def rules(self) -> list[tuple[str, int | None]]:
        """The rules of the grammar of which one would have to allow more, from the outermost.

        Each is its name, and the line on which it stands if it was written in a text.
        """

@final
class Allowed:
    """What may come next: what `Matcher.allowed` returns.

    Immutable. `str()` of it is one line.
    """

    @property
    def description(self) -> str:
        """What may come, in words, such as `the key "city" or "}"`.

        This says what the grammar allows, even if the vocabulary cannot spell it or the budget
        forbids it. Whitespace between JSON tokens is left out.
        """
    @property
    def count(self) -> int:
        """How many tokens may come, stop tokens included."""
    @property
    def token_ids(self) -> list[int]:
        """The first of these tokens, by rising id; at most as many as were asked for."""
    @property
    def texts(self) -> list[bytes]:
        """The bytes of each of `token_ids`; of special tokens their names."""
    @property
    def may_end(self) -> bool:
        """Whether the text may end here."""

@final
class Preparation:
    """Masks that are being made while the model runs: what `prepare` returns."""

    def fill(self, bitmask: Any) -> None:
        """Fills row `i` of a bitmask for matcher `i`, as `fill_masks` does.

        What is ready is copied, the rest is made now.

        Args:
            bitmask: int32, of shape `(batch, words)`, as for `fill_masks`.

        Raises:
            MaskError: A bitmask of another type or shape.
            LimitError: A mask takes too much work.
        """
    def stop(self) -> None:
        """Stops making masks. Those that are ready are kept with their grammars."""

def prepare(matchers: Sequence[Matcher]) -> Preparation:
    """Begins to make the masks that come next, and returns at once.

    They are made on threads of its own and without the GIL: call it when the tokens of a step have
    been accepted and the model begins to run. On a single processor none are made, so that nothing
    takes the model's time.

    What is made is kept with the grammars, so that `Preparation.fill`, or `fill_masks`, finds it.
    The matchers may go on meanwhile.

    Args:
        matchers: The matchers, of one vocabulary or of several.

    Returns:
        What fills the masks once they are needed, and stops making others then. If it is dropped,
        that stops, too.
    """

def fill_masks(matchers: Sequence[Matcher], bitmask: Any) -> None:
    """Fills row `i` of a bitmask for matcher `i`, on all processors and without the GIL.

    Args:
        matchers: The matchers, of one vocabulary or of several.
        bitmask: int32, of shape `(batch, words)` with at least as many rows as there are matchers;
            see `Matcher.fill_mask`.

    Raises:
        MaskError: A bitmask of another type or shape.
        LimitError: A mask takes too much work.
    """

def apply_mask(logits: Any, bitmask: Any, bfloat16: bool = False) -> bool:
    """Sets logits that a bitmask does not allow to -inf, in place, if that needs no other library.

    Args:
        logits: A writable numpy array of shape `(batch, width)` or `(width,)` of float16, float32
            or float64; with `bfloat16`, of int16 in place of bfloat16.
        bitmask: int32, of shape `(batch, words)` or `(words,)`; see `Matcher.fill_mask`.
        bfloat16: Whether the numbers are bfloat16.

    Returns:
        Whether it was done. If not, nothing has changed: `schemask.apply_mask` takes more, and says
        what is wrong.
    """
