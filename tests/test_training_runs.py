"""Training: what is written is what was trained, for transformers and for llama.cpp alike."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from schemask import Grammar
from schemask.cli import main
from schemask.cli.program import parser
from schemask.errors import DataError, ModelError
from schemask.lint import lint
from schemask.models import LlamaCppModel, Sampling, TransformersModel, open_model
from schemask.models.tokenizers import SPLITS, load_tokenizer, mend_split
from schemask.synth import Pair
from schemask.training import TrainingOptions, TrainingReport, dataset, train
from schemask.training.gguf_file import check_architecture, write_gguf
from schemask.training.loss_curve import drawing
from schemask.training.weights import Weights

for library in ("torch", "trl", "peft", "gguf", "llama_cpp"):
    pytest.importorskip(library)

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
# With digits, white space, markers and letters of other scripts: what tokenizers split differently.
TEXTS = (
    "Hello  1234, you're\n\n  here\t 12.5 %",
    "<|im_start|>user\nWhat's up?<|im_end|>\n",
    "Grüße, 你好 世界 🙂 \u00a0x",
    "    def f(x):\r\n\treturn x  \n",
)
QUICK = {"max_length": 256, "learning_rate": 3e-2, "precision": "fp32", "embeddings": True}


def line(city: str) -> dict[str, Any]:
    call = {"name": "get_weather", "arguments": {"city": city}}
    return {
        "messages": [
            {"role": "user", "content": f"Weather in {city}?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": call}],
            },
        ],
        "tools": [TOOL],
    }


DATA = [line(city) for city in ("Rome", "Oslo", "Lima", "Cairo")]


def small(kind: str, tokenizer: Any, **more: Any) -> Any:
    """A model of random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = getattr(transformers, f"{kind}Config")(**shape | more)
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


@pytest.fixture(scope="module")
def tokenizer(hf_tokenizer: Any, gguf_path: Path) -> Any:
    """That of SmolLM2, as it is: transformers alone reads its GGUF so that digits stay together."""
    mended = copy.deepcopy(hf_tokenizer)
    mend_split(mended, gguf_path)
    return mended


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Any, gguf_path: Path) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    mended = copy.deepcopy(small_tokenizer)
    mend_split(mended, gguf_path)
    small("Llama", mended, tie_word_embeddings=True).save_pretrained(folder)
    mended.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> TrainingReport:
    """A run of which several tests read the files."""
    options = TrainingOptions(**QUICK, steps=40, gguf="f32")
    out = tmp_path_factory.mktemp("runs") / "trained"
    return train(DATA, folder, out, options=options, progress=False)


def llama_of(path: Path) -> Any:
    from llama_cpp import Llama

    return Llama(str(path), n_ctx=256, n_threads=1, logits_all=True, verbose=False)


def logits_of(model: Any, token_ids: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return model(torch.tensor([token_ids])).logits[0].float().numpy()


def llama_logits(llama: Any, token_ids: list[int]) -> Any:
    llama.reset()
    llama.eval(token_ids)
    return llama.scores[: len(token_ids)]


def loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(
        folder
    )


# what is trained and written


def test_the_folder_and_the_gguf_are_one_model(report: TrainingReport) -> None:
    """With the same tokens, logits, and turns; and it has learnt what it was shown."""
    model, tokenizer = loaded(report.folder)
    assert report.gguf is not None
    llama = llama_of(report.gguf)
    for text in TEXTS:
        token_ids = tokenizer.encode(text, add_special_tokens=False)
        assert llama.tokenize(text.encode(), add_bos=False, special=True) == token_ids
    row = dataset(DATA[:1], tokenizer)[0]
    ours, theirs = logits_of(model, row["input_ids"]), llama_logits(llama, row["input_ids"])
    assert abs(ours - theirs).max() < 0.03 * ours.std()  # llama.cpp caches in 16 bits
    prompt = [t for t, label in zip(row["input_ids"], row["labels"], strict=True) if label < 0]
    models = TransformersModel(model, tokenizer), LlamaCppModel(llama)
    turns = [one.generate(prompt, sampling=Sampling(max_tokens=64)) for one in models]
    assert turns[0].text.startswith('<tool_code>{"name": "get_weather", "arguments": {"city": "')
    assert turns[0].token_ids == turns[1].token_ids
    assert turns[0].status == turns[1].status == "complete"
    for one in models:
        grammar = Grammar.from_json_schema({"enum": ["Rome", 3]}).compile(one.vocabulary)
        assert one.generate("x", grammar=grammar).text.strip() in ('"Rome"', "3")
    assert models[1].template is not None
    assert models[1].template.text == tokenizer.chat_template
    assert model.generation_config.eos_token_id == models[0].vocabulary.stop_token_ids[0] or set(
        model.generation_config.eos_token_id
    ) == set(models[0].vocabulary.stop_token_ids)


def test_the_report_and_the_loss(report: TrainingReport) -> None:
    rows = [dataset([line], loaded(report.folder)[1])[0] for line in DATA]
    assert report.rows == 4 and report.steps == 40 and report.resumed_from == 0
    assert report.tokens == sum(len(row["input_ids"]) for row in rows)
    assert report.trained_tokens == sum(label >= 0 for row in rows for label in row["labels"])
    assert (report.method, report.precision) == ("full", "fp32")
    assert report.last_loss < 0.1 < report.first_loss
    table = list(csv.DictReader((report.folder / "loss.csv").read_text().splitlines()))
    assert [int(entry["step"]) for entry in table] == list(range(1, 41))
    root = ElementTree.fromstring((report.folder / "loss.svg").read_text())
    lines = [entry for entry in root if entry.tag.endswith("polyline")]
    assert [len(entry.attrib["points"].split()) for entry in lines] == [40, 40]
    assert not (report.folder / "checkpoints").exists()
    modes = {file.stat().st_mode for file in report.folder.iterdir()}
    assert len(modes) == 1


def test_drawings_of_odd_losses() -> None:
    for losses in ([], [(1, 0.0)], [(1, 2.0), (2, float("nan"))]):
        assert ElementTree.fromstring(drawing(losses)).tag.endswith("svg")


def test_rows_in_a_pack_do_not_see_each_other(folder: Path, tmp_path: Path) -> None:
    """The loss of a pack is that of its rows, each by itself."""
    losses = []
    for packing in (True, False):
        more = {"packing": packing, "batch": 1 if packing else 4, "max_length": 1024}
        options = TrainingOptions(**QUICK | more, steps=1, gguf=None)
        out = tmp_path / str(packing)
        losses.append(train(DATA, folder, out, options=options, progress=False).first_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("method", "embeddings", "kept"),
    [
        ("lora", False, ("embed", "norm")),
        ("full", False, ("embed",)),
    ],
)
def test_what_is_trained(
    method: Any, embeddings: bool, kept: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    """Adapters are merged; what stays as it was is what the options say."""
    options = TrainingOptions(
        method=method, rank=4, steps=2, embeddings=embeddings, max_length=256, learning_rate=1e-2
    )
    done = train(DATA, folder, tmp_path / "out", options=options, progress=False)
    assert done.method == method
    before, after = loaded(folder)[0].state_dict(), loaded(done.folder)[0].state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        stays = name.startswith("lm_head") or any(part in name for part in kept)
        assert bool((tensor == after[name]).all()) == stays, name


# GGUF


@pytest.mark.parametrize(
    ("kind", "more", "held", "most"),
    [
        ("Llama", {"attention_bias": True, "rms_norm_eps": 1e-5}, "f32", 3e-2),
        ("Qwen2", {"tie_word_embeddings": False}, "f16", 5e-2),
        ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}, "q8_0", 0.6),
    ],
)
def test_architectures(
    kind: str, more: dict[str, Any], held: Any, most: float, small_tokenizer: Any, tmp_path: Path
) -> None:
    model = small(kind, small_tokenizer, **more)
    for name, tensor in model.named_parameters():
        if name.endswith("bias"):
            tensor.data.normal_()
    write_gguf(Weights(model, small_tokenizer, tmp_path, False), tmp_path / "model.gguf", held)
    token_ids = small_tokenizer.encode(TEXTS[0], add_special_tokens=False)
    llama = llama_of(tmp_path / "model.gguf")
    ours, theirs = logits_of(model, token_ids), llama_logits(llama, token_ids)
    assert abs(ours - theirs).max() < most * ours.std()


def test_from_a_gguf_to_a_gguf(report: TrainingReport, tmp_path: Path) -> None:
    """The metadata of the tokenizer is taken over, and the folder is no quantised model."""
    from gguf import GGUFReader

    assert report.gguf is not None
    options = TrainingOptions(**QUICK, steps=1, gguf="f16")
    done = train(DATA, report.gguf, tmp_path / "out", options=options, progress=False)
    assert done.gguf is not None
    fields = [
        {
            name: field.contents()
            for name, field in GGUFReader(path).fields.items()
            if name.startswith("tokenizer.")
        }
        for path in (report.gguf, done.gguf)
    ]
    assert fields[0] == fields[1] and len(fields[0]) > 8
    model, tokenizer = loaded(done.folder)
    assert "quantization_config" not in model.config.to_dict()
    llama = llama_of(done.gguf)
    for text in TEXTS:
        expected = llama.tokenize(text.encode(), add_bos=False, special=True)
        assert tokenizer.encode(text, add_special_tokens=False) == expected
    token_ids = tokenizer.encode(TEXTS[0])
    # The folder has bfloat16, with 8 bits that count.
    ours, theirs = logits_of(model.float(), token_ids), llama_logits(llama, token_ids)
    assert abs(ours - theirs).mean() < 0.05 * ours.std()


def test_the_tokenizer_of_a_real_gguf(tokenizer: Any, llama: Any) -> None:
    for text in TEXTS:
        expected = llama.tokenize(text.encode(), add_bos=False, special=True)
        assert tokenizer.encode(text, add_special_tokens=False) == expected


@pytest.mark.parametrize("place", ["none", "empty", "broken", "text.gguf", "flawed"])
def test_who_reads_a_tokenizer_raises_the_same(
    place: str, small_tokenizer: Any, tmp_path: Path
) -> None:
    path = tmp_path / place
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.gguf").write_text("no GGUF")
    for name, spoilt in (("broken", '{"model": 3}'), ("flawed", "{")):
        small("Llama", small_tokenizer).config.save_pretrained(tmp_path / name)
        small_tokenizer.save_pretrained(tmp_path / name)
        (tmp_path / name / "tokenizer.json").write_text(spoilt)
    told = set()
    for read in (
        load_tokenizer,
        lambda path: lint(DATA, path),
        lambda path: train(DATA, path, tmp_path / "out"),
        *([] if place in ("text.gguf", "empty") else [open_model]),  # says more of these
    ):
        with pytest.raises(ModelError) as raised:
            read(path)
        told.add(str(raised.value))
    (message,) = told
    assert message.startswith(f"{path}: ")


def test_a_gguf_is_linted_as_it_is_trained(gguf_path: Path, tokenizer: Any) -> None:
    lines = [line(text) for text in TEXTS if "<|" not in text]
    reports = [lint(lines, source, format="hermes") for source in (gguf_path, tokenizer)]
    rows = dataset(lines, tokenizer, format="hermes")
    assert reports[0].statistics == reports[1].statistics
    assert reports[0].statistics.tokens == sum(map(len, rows["input_ids"]))


def test_what_llama_cpp_has_no_name_for(small_tokenizer: Any, tmp_path: Path) -> None:
    from tokenizers import Regex, pre_tokenizers

    path = tmp_path / "model.gguf"
    gpt2 = small("Llama", small_tokenizer)
    gpt2.config.model_type = "gpt2"
    scaled = small("Llama", small_tokenizer)
    scaled.config.rope_parameters = {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4}
    for model, message in ((gpt2, "type gpt2"), (scaled, "scaled")):
        with pytest.raises(ModelError, match=message):
            write_gguf(Weights(model, small_tokenizer, tmp_path, False), path, "f16")
    model = small("Llama", small_tokenizer)
    other = copy.deepcopy(small_tokenizer)
    for pattern, is_known in ((SPLITS["qwen2"], True), (r"\s+", False)):
        other.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        weights = Weights(model, other, tmp_path, False)
        if is_known:
            write_gguf(weights, path, "f16")
            llama = llama_of(path)
            for text in TEXTS:
                token_ids = other.encode(text, add_special_tokens=False)
                assert llama.tokenize(text.encode(), add_bos=False, special=True) == token_ids
        else:
            with pytest.raises(ModelError, match="splits texts"):
                check_architecture(weights)


# runs that end early, again, or not at all


def test_a_run_that_was_killed_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And comes to the very model to which it would have come."""
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in DATA))
    out = tmp_path / "killed"
    words = f"--model {folder} --steps 16 --max-length 200 --no-gguf --precision fp32".split()
    command = [sys.executable, "-m", "schemask", "train", str(data), *words, "--save-steps", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([*command, "--out", str(out)], env=environment)
    while not list(out.glob("checkpoints/checkpoint-*/whole")):
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (out / "report.json").exists()
    # One half of a checkpoint, as a kill may leave it.
    (out / "checkpoints" / "checkpoint-15").mkdir()
    options = TrainingOptions(steps=16, max_length=200, gguf=None, precision="fp32")
    done = train(data, folder, out, options=options, progress=False)
    whole = train(data, folder, tmp_path / "whole", options=options, progress=False)
    assert 0 < done.resumed_from < 15 and done.steps == whole.steps == 16
    assert whole.resumed_from == 0 and done.last_loss == pytest.approx(whole.last_loss, rel=1e-5)
    states = [loaded(run.folder)[0].state_dict() for run in (done, whole)]
    for name, tensor in states[0].items():
        assert (tensor - states[1][name]).abs().max() < 1e-5, name
    # What has ended is not repeated.
    monkeypatch.setattr("schemask.training.runs.load_weights", None)
    assert train(data, folder, out, options=options, progress=False) == done


def test_a_folder_that_another_process_of_the_run_writes(
    report: TrainingReport, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemask.training.runs.load_weights", lambda *_: pytest.fail("begun"))
    (tmp_path / ".run.json.1a2b.part").touch()
    with pytest.raises(pytest.fail.Exception, match="begun"):
        train(DATA, folder, tmp_path, progress=False)
    options = TrainingOptions(**QUICK, steps=40, gguf="f32")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DataError, match="with several processes, empty it first"):
        train(DATA, folder, report.folder, options=options, resume=False)
    assert (report.folder / "report.json").exists()


def test_another_run_is_kept_out_of_a_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one trains there, nothing of it is touched, also by a run that would start anew."""

    def load(*_: Any) -> Any:
        (checkpoint := tmp_path / "checkpoints" / "checkpoint-1").mkdir(parents=True)
        monkeypatch.setattr("schemask.training.runs.load_weights", lambda *_: pytest.fail("both"))
        for resume in (True, False):
            with pytest.raises(DataError, match="is being written by somebody else"):
                train(DATA, folder, tmp_path, resume=resume, progress=False)
        assert checkpoint.exists()
        raise DataError("seen")

    monkeypatch.setattr("schemask.training.runs.load_weights", load)
    with pytest.raises(DataError, match="seen"):
        train(DATA, folder, tmp_path, progress=False)


def test_a_folder_of_something_else(report: TrainingReport, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    with pytest.raises(DataError, match="other files"):
        train(DATA, folder, tmp_path)
    with pytest.raises(DataError, match="a run of other data"):
        train(DATA, folder, report.folder, options=TrainingOptions(max_length=256))
    for file, what in (("x", "no such folder"), ("letter", "letter")):
        with pytest.raises(ModelError, match=what):
            train(DATA, tmp_path / file, tmp_path / "out")
    with pytest.raises(ModelError, match="a folder or a GGUF"):
        train(DATA, 3, tmp_path / "out")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"examples: line 1: .* max_length=20"):
        train(DATA, folder, tmp_path / "out", options=TrainingOptions(max_length=20))
    with pytest.raises(DataError, match="TrainingOptions"):
        train(DATA, folder, tmp_path / "out", options={})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "qlora"},
        {"rank": 0},
        {"embeddings": "no"},
        {"loss": "some"},
        {"format": 3},
        {"max_length": 1.5},
        {"batch": True},
        {"epochs": 0},
        {"epochs": float("inf")},
        {"steps": 0},
        {"learning_rate": "high"},
        {"precision": "fp8"},
        {"gguf": "q4"},
        {"seed": -1},
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(DataError, match=f"^{name} is "):
        TrainingOptions(**wrong)


def test_each_option_has_a_flag() -> None:
    options = parser().parse_args(["train", "data.jsonl", "--out", "out"])
    spelt = {"method": "lora", "rank": "lora", "packing": "no_packing"}
    for field in dataclasses.fields(TrainingOptions):
        assert hasattr(options, field.name) or hasattr(options, spelt.get(field.name, "")), field


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "train.jsonl", tmp_path / "out"
    data.write_text("".join(json.dumps(line) + "\n" for line in DATA))
    arguments = ["train", str(data), "--model", str(folder), "--out", str(out)]
    more = ["--lora", "--steps", "1", "--loss", "choices", "--gguf", "q8_0", "--no-packing"]
    assert main([*arguments, *more]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "4 rows, " in told.out and "1 steps (lora, " in told.out
    assert {"model.gguf", "model.safetensors", "loss.svg"} <= {file.name for file in out.iterdir()}
    assert main(arguments) == 1
    assert "other data, model or options" in capsys.readouterr().err


def test_settings_are_refused_in_one_wording() -> None:
    """Those of training as those of the stages that write its data."""
    with pytest.raises(DataError) as of_training:
        TrainingOptions(seed=-1)
    with pytest.raises(DataError) as of_data:
        Pair(seed=-1)
    assert (
        str(of_training.value) == str(of_data.value) == "seed is an integer of at least 0, not -1"
    )
    with pytest.raises(DataError, match=r"^epochs is a number above 0, not inf$"):
        TrainingOptions(epochs=math.inf)
    with pytest.raises(DataError, match=r"^gguf is one of f32, f16, q8_0, not 'q4_0'$"):
        TrainingOptions(gguf="q4_0")  # type: ignore[arg-type]
    assert TrainingOptions(gguf=None).gguf is None
