"""What a run of training is asked for, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from schemask._settings import check_choice, check_positive, check_whole
from schemask.errors import DataError, check_flags, shortened
from schemask.training.turns import LOSSES, Loss

Method: TypeAlias = Literal["auto", "full", "lora"]
"""What is trained: all weights, or low-rank adapters beside them."""

Precision: TypeAlias = Literal["auto", "bf16", "fp32"]
"""The numbers that a step computes with; weights and their averages are kept in 32 bits."""

GgufType: TypeAlias = Literal["f32", "f16", "q8_0"]
"""How a GGUF holds its matrices."""

SMALL = 1_000_000_000
"""Parameters below which all weights are trained, if nobody says otherwise."""


@dataclass(frozen=True)
class TrainingOptions:
    """How `train` trains. The defaults are for a model of some 100 million parameters on a CPU.

    Attributes:
        method: "full" trains all weights, "lora" adapters that are merged in the end. "auto" is
            "full" for a model of less than a billion parameters.
        rank: The rank of the adapters.
        embeddings: Whether "full" also trains the input embeddings, and with them an output layer
            that shares them.
        loss: As of `encode`.
        format: As of `encode`, by name.
        max_length: The most tokens of a row, and of a pack of rows.
        drop_long: Whether rows that are longer are left out, and no error.
        packing: Whether rows share a sequence, in which no row sees another.
        batch: Sequences in a step on each device, before `accumulate`.
        accumulate: How many of these a step adds up.
        epochs: How often each row is trained, if `steps` is None.
        steps: The number of steps.
        learning_rate: The highest learning rate, to which it rises in the first twentieth of the
            steps, and from which a cosine falls to 0. None is 2e-4, or
            1e-3 for adapters; from a billion parameters on, a tenth.
        precision: "auto" is "bf16" where the processor multiplies such numbers itself.
        gguf: How the matrices of `model.gguf` are held; None writes no such file.
        save_steps: Steps between checkpoints.
        seed: Of the order of rows and of the adapters.

    Raises:
        DataError: A value that is none of these.
    """

    method: Method = "auto"
    rank: int = 16
    embeddings: bool = False
    loss: Loss = "all"
    format: str | None = None
    max_length: int = 1024
    drop_long: bool = False
    packing: bool = True
    batch: int = 1
    accumulate: int = 1
    epochs: float = 2.0
    steps: int | None = None
    learning_rate: float | None = None
    precision: Precision = "auto"
    gguf: GgufType | None = "f16"
    save_steps: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        flags = ("embeddings", "drop_long", "packing")
        check_flags(DataError, **{name: getattr(self, name) for name in flags})
        check_choice("method", self.method, get_args(Method))
        check_choice("loss", self.loss, LOSSES)
        check_choice("precision", self.precision, get_args(Precision))
        if self.gguf is not None:
            check_choice("gguf", self.gguf, get_args(GgufType))
        for name in ("rank", "max_length", "batch", "accumulate", "save_steps"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)
        if self.steps is not None:
            check_whole("steps", self.steps, 1)
        check_positive("epochs", self.epochs)
        if self.learning_rate is not None:
            check_positive("learning_rate", self.learning_rate)
        if self.format is not None and not isinstance(self.format, str):
            raise DataError(f"format is the name of a format, not {shortened(self.format)}")


@dataclass(frozen=True)
class TrainingReport:
    """What a run did.

    Attributes:
        folder: The model, as transformers and vLLM load it.
        gguf: The model, as llama.cpp loads it, if it was written.
        method: "full" or "lora".
        precision: "bf16" or "fp32".
        rows: Rows of the data.
        tokens: Tokens in them.
        trained_tokens: Those of them that the loss counts.
        steps: Steps, those before a kill included.
        first_loss: The mean loss of a trained token in the first tenth of the steps.
        last_loss: The same in the last tenth.
        seconds: How long the last process trained.
        resumed_from: The step of the checkpoint from which that process went on; 0 is none.
    """

    folder: Path
    gguf: Path | None
    method: str
    precision: str
    rows: int
    tokens: int
    trained_tokens: int
    steps: int
    first_loss: float
    last_loss: float
    seconds: float
    resumed_from: int
