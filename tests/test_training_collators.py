"""Collators of TRL and transformers: the rows of `dataset` reach a model whole, each by itself."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from schemask.synth import generate
from schemask.training import dataset

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
trl = pytest.importorskip("trl")
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling  # noqa: E402

HOUSEHOLD = Path(__file__).parents[1] / "examples" / "household.py"
PACK = 512


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, hf_tokenizer: Any) -> Any:
    """Conversations about a thermostat, of one turn and of several."""
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    names = runpy.run_path(str(HOUSEHOLD))
    shares = {"call": 0.4, "missing_value": 0.3, "words": 0.3}
    tools = [names["set_thermostat"]]
    generate(names["PHRASES"], tools, 8, path, shares=shares, progress=False)
    return dataset(path, hf_tokenizer, max_length=PACK)


@pytest.fixture(scope="module")
def tiny(hf_tokenizer: Any) -> Any:
    """A model that a trainer can hold; nothing is trained of it."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(hf_tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        initializer_range=0.5,
    )
    return transformers.LlamaForCausalLM(config)


ARGUMENTS = {
    "per_device_train_batch_size": 2,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "disable_tqdm": True,
}


def of_trl(rows: Any, model: Any, tokenizer: Any, out: Path, **how: Any) -> list[Any]:
    """The batches that TRL's trainer makes."""
    config = trl.SFTConfig(str(out), **ARGUMENTS, **how)
    trainer = trl.SFTTrainer(model, args=config, train_dataset=rows, processing_class=tokenizer)
    return list(trainer.get_train_dataloader())


def of_transformers(rows: Any, model: Any, collator: Any, out: Path) -> list[Any]:
    """The batches that the trainer of transformers makes."""
    arguments = transformers.TrainingArguments(str(out), **ARGUMENTS)
    trainer = transformers.Trainer(model, arguments, collator, train_dataset=rows)
    return list(trainer.get_train_dataloader())


def batches(way: str, rows: Any, model: Any, tokenizer: Any, out: Path) -> list[Any]:
    if way == "TRL, packed":
        return of_trl(rows, model, tokenizer, out, packing=True, max_length=PACK)
    if way == "TRL, without padding":
        return of_trl(rows, model, tokenizer, out, padding_free=True, max_length=None)
    if way == "TRL, padded":
        return of_trl(rows, model, tokenizer, out, max_length=PACK)
    if way == "transformers, flat":
        return of_transformers(rows, model, transformers.DataCollatorWithFlattening(), out)
    assert way == "transformers, padded"
    return of_transformers(rows, model, transformers.DataCollatorForSeq2Seq(tokenizer), out)


FLAT = ("TRL, packed", "TRL, without padding", "transformers, flat")
PADDED = ("TRL, padded", "transformers, padded")


def flat_rows(batch: Any) -> list[tuple[list[int], list[int]]]:
    """The rows of one long sequence: each begins where positions begin anew."""
    positions = batch["position_ids"][0].tolist()
    assert batch["input_ids"].shape == batch["labels"].shape == (1, len(positions))
    starts = [at for at, position in enumerate(positions) if position == 0]
    assert starts[0] == 0
    found = []
    for start, end in zip(starts, [*starts[1:], len(positions)], strict=True):
        assert positions[start:end] == list(range(end - start))
        found.append(tuple(batch[key][0, start:end].tolist() for key in ("input_ids", "labels")))
    return found


def padded_rows(batch: Any) -> list[tuple[list[int], list[int]]]:
    """The rows of a batch without what fills them up, of which nothing is trained."""
    kept = batch["attention_mask"].bool()
    assert (batch["labels"][~kept] == -100).all()
    return [
        tuple(batch[key][at, kept[at]].tolist() for key in ("input_ids", "labels"))
        for at in range(len(kept))
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", [*FLAT, *PADDED])
def test_rows_arrive_whole(
    way: str, rows: Any, tiny: Any, hf_tokenizer: Any, tmp_path: Path
) -> None:
    made = batches(way, rows, tiny, hf_tokenizer, tmp_path)
    found = [row for batch in made for row in (flat_rows if way in FLAT else padded_rows)(batch)]
    expected = [(row["input_ids"], row["labels"]) for row in rows]
    assert sorted(found) == sorted(expected)
    assert len(made) < len(rows)
    # The first token of a row is predicted of nothing but the end of the row before it.
    assert {labels[0] for _, labels in found} == {-100}
    assert all(any(label >= 0 for label in labels) for _, labels in found)
    if way in FLAT:
        # With a mask, transformers would not look at the positions.
        assert not any("attention_mask" in batch for batch in made)


# A model of that size takes a second for a hundred tokens.
SHORT = [
    {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
    for asked, answer in (
        ("How warm is it?", "It is 21 degrees in the kitchen, and 18 in all other rooms."),
        ("Make it warmer, please.", "The heating of which room shall I turn up?"),
        ("Who wrote Faust?", "Goethe did: the first part was printed in 1808."),
    )
]


def loss(model: Any, batch: Any, **more: Any) -> float:
    with torch.no_grad():
        return float(model(**batch, **more).loss)


def loss_alone(model: Any, rows: list[Any]) -> float:
    """The loss of rows that are read one by one, each weighted by its trained tokens."""
    counts = [sum(label >= 0 for label in row["labels"]) for row in rows]
    losses = [loss(model, {name: torch.tensor([ids]) for name, ids in row.items()}) for row in rows]
    return sum(one * count for one, count in zip(losses, counts, strict=True)) / sum(counts)


def test_no_row_sees_another(hf_model: Any, hf_tokenizer: Any) -> None:
    few = dataset(SHORT, hf_tokenizer)
    expected = loss_alone(hf_model, list(few))
    (pack,) = trl.pack_dataset(few, 3 * PACK)
    of_packs = DataCollatorForLanguageModeling(hf_tokenizer.pad_token_id, padding_free=True)
    for batch in (transformers.DataCollatorWithFlattening()(list(few)), of_packs([pack])):
        assert len(flat_rows(batch)) == 3
        assert loss(hf_model, batch, use_cache=False) == pytest.approx(expected, rel=1e-4)
        # Of positions, transformers makes a mask only where there is no other and no cache.
        mask = torch.ones_like(batch["input_ids"])
        for more in ({"use_cache": True}, {"use_cache": False, "attention_mask": mask}):
            assert abs(loss(hf_model, batch, **more) / expected - 1) > 0.05


def test_the_trainer_of_transformers_keeps_no_cache(rows: Any, tiny: Any, tmp_path: Path) -> None:
    """So rows that its collator puts into one sequence stay apart."""
    expected = loss_alone(tiny, list(rows))
    collator = transformers.DataCollatorWithFlattening()
    assert loss(tiny, collator(list(rows)), use_cache=True) != pytest.approx(expected, rel=1e-3)
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        **ARGUMENTS | {"per_device_train_batch_size": len(rows)},
        max_steps=1,
        learning_rate=0.0,
        logging_steps=1,
        save_strategy="no",
    )
    trainer = transformers.Trainer(tiny, arguments, collator, train_dataset=rows)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-4)


def test_a_collator_that_makes_labels_itself_trains_all(rows: Any, hf_tokenizer: Any) -> None:
    batch = transformers.DataCollatorForLanguageModeling(hf_tokenizer, mlm=False)([rows[0]])
    assert (batch["labels"] >= 0).sum() > 5 * sum(label >= 0 for label in rows[0]["labels"])
