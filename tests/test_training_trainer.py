"""The trainer that scores labelled positions alone, against TRL's own."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from schemask.training.trainer import trainer_class  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


ROWS = [
    ([1, 20, 30, 40, 50, 60], [-100, -100, 30, 40, -100, 60]),
    ([1, 21, 31], [-100, -100, 31]),
    ([1, 2, 3, 4, 5, 6, 7, 8], [-100, -100, -100, 4, 5, -100, -100, -100]),
    ([9, 8, 7, 6], [9, 8, 7, 6]),
]


@pytest.mark.parametrize(
    "more",
    [
        {"per_device_train_batch_size": 4},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
        {"packing": True, "max_length": 16, "gradient_accumulation_steps": 2},
    ],
    ids=["padded", "accumulated", "packed"],
)
@pytest.mark.filterwarnings("ignore")
def test_losses_and_weights_are_those_of_trl(
    model: Any, hf_tokenizer: Any, tmp_path: Path, more: dict[str, Any]
) -> None:
    if torch.accelerator.is_available():
        pytest.skip("TRL has kernels of its own for this device")
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list(
        [{"input_ids": ids, "labels": labels} for ids, labels in ROWS]
    )
    found = []
    for kind in (trl.SFTTrainer, trainer_class(model)):
        trainer = kind(
            copy.deepcopy(model),
            args=trl.SFTConfig(
                **{"per_device_train_batch_size": 1, "max_length": None, **more},
                output_dir=str(tmp_path),
                max_steps=2,
                learning_rate=0.01,
                logging_steps=1,
                use_cpu=True,
                bf16=False,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=rows,
            processing_class=hf_tokenizer,
        )
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        found.append((losses, dict(trainer.model.named_parameters())))
    assert type(trainer).compute_loss is not trl.SFTTrainer.compute_loss
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for name, weight in found[0][1].items():
        torch.testing.assert_close(weight, found[1][1][name], rtol=1e-4, atol=1e-5)


def test_a_model_of_experts_is_left_to_trl() -> None:
    """It adds a loss of its own to that of the tokens, by which they share the work."""
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes = {"vocab_size": 30, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = MixtralConfig(**sizes, num_attention_heads=2, num_key_value_heads=2)
    assert trainer_class(MixtralForCausalLM(config)) is trl.SFTTrainer


def test_a_model_that_scores_all_positions_alone_is_left_to_trl(model: Any) -> None:
    class Other(type(model)):  # type: ignore[misc]
        def forward(self, input_ids: Any) -> Any:
            return input_ids

    assert trainer_class(Other(model.config)) is trl.SFTTrainer
