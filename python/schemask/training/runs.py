"""Training: TRL's `SFTTrainer` on exact labels, and the model that comes of it as files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask._files import Journal, replacing
from schemask._lines import Examples
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, check_flags, missing, shortened
from schemask.models.digests import file_facts
from schemask.models.tokenizers import load_tokenizer, model_location
from schemask.tools import ToolsLike
from schemask.training.gguf_file import check_architecture, write_gguf
from schemask.training.loss_curve import drawing, table
from schemask.training.options import SMALL, TrainingOptions, TrainingReport
from schemask.training.rows import dataset
from schemask.training.trainer import trainer_class
from schemask.training.weights import Weights, load_weights

if TYPE_CHECKING:
    from datasets import Dataset

MARK = "run.json"
CHECKPOINTS = "checkpoints"
# A checkpoint without it may be one half of a checkpoint.
WHOLE = "whole"


def train(
    data: Examples,
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    options: TrainingOptions | None = None,
    tools: ToolsLike | None = None,
    resume: bool = True,
    progress: bool = True,
) -> TrainingReport:
    """Trains a model on what it has to write in conversations, and nothing else.

    `out` then is a folder that transformers and vLLM load. Beside the model it holds `model.gguf`
    for llama.cpp, `loss.csv`, `loss.svg` and `report.json`. A run that was killed goes on from its
    last checkpoint, and one that has ended is not repeated.

    On several devices, start the program with `accelerate launch`. Each of them holds the whole
    model: weights that are split among them, as by FSDP or ZeRO-3, cannot be written.

    Args:
        data: A file of lines as `encode` takes them, or the examples.
        model: A folder of transformers, or a GGUF.
        out: The folder to write; it is new, empty, or of the same run.
        options: How to train.
        tools: The tools, instead of those of the lines.
        resume: Whether a run of the same data, model and options goes on; else it starts anew,
            which is for one process: for several, empty the folder first.
        progress: Whether to show a bar on standard error.

    Raises:
        DataError: A line as of `encode`, with its number; or `out` holds something else, such as
            another run; or a loss that is no number.
        FormatError: An unknown format; or no format follows from the model's template.
        ToolError: What cannot be a tool.
        ModelError: The model cannot be read; or a GGUF is asked for, and cannot be written.
        VocabularyError: The tokens of the tokenizer cannot be read.
        DependencyError: A library that is needed is not installed.
    """
    check_flags(DataError, resume=resume, progress=progress)
    options = TrainingOptions() if options is None else options
    if not isinstance(options, TrainingOptions):
        raise DataError(f"options are TrainingOptions, not {shortened(options)}")
    if not isinstance(out, (str, os.PathLike)):
        raise DataError(f"out is a folder, not {shortened(out)}")
    path, folder = model_location(model), Path(out)
    check_libraries()
    tokenizer = load_tokenizer(path)
    rows = dataset(
        data,
        tokenizer,
        tools=tools,
        format=options.format,
        loss=options.loss,
        max_length=options.max_length,
        drop_long=options.drop_long,
    )
    is_first = os.environ.get("RANK", "0") == "0"
    report = _begin(folder, _identity(path, rows, options), resume=resume, is_first=is_first)
    if report is not None:
        return report
    with contextlib.ExitStack() as stack:
        if is_first:  # another run that would begin here finds the mark being written
            stack.enter_context(Journal(folder / MARK))
        stack.enter_context(_quiet())
        weights = load_weights(path, tokenizer)
        if options.gguf is not None:
            check_architecture(weights)
        run = _Run(weights, rows, options, folder)
        return run.finish(run.train(progress=progress))


class _Run:
    """One process's part in a run of training."""

    def __init__(
        self, weights: Weights, rows: Dataset, options: TrainingOptions, folder: Path
    ) -> None:
        import torch

        self.weights = weights
        self.rows = rows
        self.options = options
        self.folder = folder
        size = sum(tensor.numel() for tensor in weights.model.parameters())
        self.is_small = size < SMALL
        self.method = options.method
        if self.method == "auto":
            self.method = "full" if self.is_small else "lora"
        self.precision = options.precision
        if self.precision == "auto":
            self.precision = "bf16" if has_bf16() else "fp32"
        self.kept_type = torch.bfloat16 if weights.is_gguf else weights.model.dtype
        self.started = 0.0
        self.resumed_from = 0

    def train(self, *, progress: bool) -> Any:
        """Trains; returns the trainer."""
        import torch
        from transformers import PrinterCallback, set_seed
        from trl import SFTConfig  # type: ignore[attr-defined]

        model = self.weights.model
        set_seed(self.options.seed)
        if self.method == "full" or not torch.cuda.is_available():
            model.float()  # steps are too small for numbers of 16 bits
        if self.method == "full" and not self.options.embeddings:
            model.get_input_embeddings().weight.requires_grad_(False)
        trainer = trainer_class(model)(
            model,
            args=SFTConfig(**self._arguments()),
            train_dataset=self.rows,
            processing_class=self.weights.tokenizer,
            peft_config=self._adapters() if self.method == "lora" else None,
            callbacks=_callbacks(progress),
        )
        trainer.remove_callback(PrinterCallback)
        checkpoint = _last_checkpoint(self.folder)
        if checkpoint is not None:
            self.resumed_from = int(checkpoint.name.rpartition("-")[2])
        self.started = time.monotonic()
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        return trainer

    def finish(self, trainer: Any) -> TrainingReport:
        """Writes what came of it; the report last, by which a run is known as ended."""
        seconds = time.monotonic() - self.started
        history = trainer.state.log_history
        losses = [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]
        if not all(math.isfinite(loss) for _, loss in losses):
            raise DataError("the loss is no number any more: a lower learning rate may help")
        kind = self.options.gguf
        gguf = None if kind is None else self.folder / "model.gguf"
        labels = self.rows["labels"]
        tenth = math.ceil(len(losses) / 10)
        report = TrainingReport(
            folder=self.folder,
            gguf=gguf,
            method=self.method,
            precision=self.precision,
            rows=len(labels),
            tokens=sum(map(len, labels)),
            trained_tokens=sum(label >= 0 for row in labels for label in row),
            steps=trainer.state.global_step,
            first_loss=_mean([loss for _, loss in losses[:tenth]]),
            last_loss=_mean([loss for _, loss in losses[-tenth:]]),
            seconds=round(seconds, 1),
            resumed_from=self.resumed_from,
        )
        model = trainer.accelerator.unwrap_model(trainer.model)
        if self.method == "lora":
            model = model.merge_and_unload()
        if trainer.is_world_process_zero():
            self._write(model)
            _write_text(self.folder / "loss.csv", table(history))
            _write_text(self.folder / "loss.svg", drawing(losses))
            _write_text(self.folder / "report.json", _report_text(report))
            shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
        trainer.accelerator.wait_for_everyone()
        return report

    def _write(self, model: Any) -> None:
        tokenizer = self.weights.tokenizer
        model = model.to("cpu").eval()
        model.requires_grad_(True)
        model.config.use_cache = True
        stops = sorted(Vocabulary.from_transformers(tokenizer).stop_token_ids)
        known = model.generation_config
        known.eos_token_id = stops if len(stops) > 1 else stops[0]
        known.pad_token_id = tokenizer.pad_token_id
        if self.options.gguf is not None:
            part = self.folder / ".model.gguf.part"
            written = dataclasses.replace(self.weights, model=model)
            write_gguf(written, part, self.options.gguf)
            part.replace(self.folder / "model.gguf")
        model.to(self.kept_type).save_pretrained(self.folder)
        for file in self.folder.glob("*.safetensors"):
            shutil.copymode(self.folder / "config.json", file)  # it is made private
        tokenizer.save_pretrained(self.folder)

    def _arguments(self) -> dict[str, Any]:
        """What TRL is told."""
        import torch

        options = self.options
        rate = options.learning_rate
        if rate is None:
            rate = 2e-4 if self.method == "full" else 1e-3
            rate = rate if self.is_small else rate / 10
        return {
            "output_dir": str(self.folder / CHECKPOINTS),
            "max_length": options.max_length,
            # Best-fit packs whole rows; their positions, each from 0 on, keep them apart.
            "packing": options.packing,
            "packing_strategy": "bfd",
            "per_device_train_batch_size": options.batch,
            "gradient_accumulation_steps": options.accumulate,
            "num_train_epochs": options.epochs,
            "max_steps": -1 if options.steps is None else options.steps,
            "learning_rate": rate,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.05,
            "optim": "adamw_torch",
            "adam_beta1": 0.9,
            "adam_beta2": 0.98,
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "bf16": self.precision == "bf16",
            "use_cpu": not torch.accelerator.is_available(),
            "gradient_checkpointing": not self.is_small,
            "logging_steps": 1,
            "include_num_input_tokens_seen": "all",
            "logging_nan_inf_filter": False,
            "save_strategy": "steps",
            "save_steps": options.save_steps,
            # The one before the last is there until the last is whole.
            "save_total_limit": 2,
            "seed": options.seed,
            "report_to": "none",
            "disable_tqdm": True,
        }

    def _adapters(self) -> Any:
        from peft import LoraConfig

        return LoraConfig(
            r=self.options.rank,
            lora_alpha=2 * self.options.rank,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )


def has_bf16() -> bool:
    """Whether the processor that trains multiplies numbers of the type bfloat16 itself."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.accelerator.is_available():
        return False
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test, lambda: False)() for test in tests)


def _callbacks(progress: bool) -> list[Any]:
    """The bar, and the mark of a checkpoint that is whole."""
    from tqdm import tqdm
    from transformers import TrainerCallback

    class Marker(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                Path(args.output_dir, f"checkpoint-{state.global_step}", WHOLE).touch()

    class Bar(TrainerCallback):  # type: ignore[misc, unused-ignore]
        bar: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                self.bar = tqdm(
                    total=state.max_steps, initial=state.global_step, unit="step", desc="training"
                )

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if self.bar is not None and logs and "loss" in logs:
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.bar is not None:
                self.bar.update(state.global_step - self.bar.n)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.bar is not None:
                self.bar.close()

    return [Marker(), Bar()] if progress else [Marker()]


def _last_checkpoint(folder: Path) -> Path | None:
    found = [mark.parent for mark in (folder / CHECKPOINTS).glob(f"checkpoint-*/{WHOLE}")]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _identity(path: Path, rows: Dataset, options: TrainingOptions) -> str:
    """What a run is known by: the tokens, the files of the model, and the options."""
    known = hashlib.sha256()
    for column in ("input_ids", "labels"):
        for row in rows[column]:
            known.update(json.dumps(row).encode())
    for facts in file_facts(path):
        known.update(json.dumps(facts).encode())
    # A checkpoint may be made at any step.
    deciding = {**dataclasses.asdict(options), "save_steps": None}
    known.update(json.dumps(deciding, sort_keys=True).encode())
    return known.hexdigest()


def _begin(folder: Path, identity: str, *, resume: bool, is_first: bool) -> TrainingReport | None:
    """Makes the folder that of the run; returns the report of one that has ended there."""
    mark, ended = folder / MARK, folder / "report.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What another process of the run is writing is not there yet. What is there is looked at
        # before the mark, which is always written first.
        is_empty = all(file.name.endswith(".part") for file in folder.iterdir())
        found = json.loads(mark.read_text(encoding="utf-8")) if mark.exists() else None
        is_same = isinstance(found, dict) and found.get("identity") == identity
        if not is_same and not is_empty:
            what = "other files" if found is None else "a run of other data, model or options"
            raise DataError(f"{folder} holds {what}: give another folder, or empty this one")
        if is_same and not resume and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise DataError(f"{folder}: to start anew with several processes, empty it first")
        if is_same and resume and ended.exists():
            return _read_report(folder, ended)
        if is_first:
            _write_text(mark, json.dumps({"identity": identity}) + "\n")
            if is_same and not resume:
                ended.unlink(missing_ok=True)
                shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{folder}: run.json or report.json is no JSON: {error}") from error
    return None


def _report_text(report: TrainingReport) -> str:
    values = dataclasses.asdict(report)
    del values["folder"]  # which may be moved
    values["gguf"] = report.gguf and report.gguf.name
    return json.dumps(values, indent=2) + "\n"


def _read_report(folder: Path, path: Path) -> TrainingReport:
    values = json.loads(path.read_text(encoding="utf-8"))
    gguf = values.pop("gguf", None)
    try:
        return TrainingReport(folder=folder, gguf=gguf and folder / gguf, **values)
    except TypeError as error:
        raise DataError(f"{path} is no report of a run: {error}") from error


def _write_text(path: Path, text: str) -> None:
    with replacing(path, force=True) as file:
        file.write(text.encode())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def check_libraries() -> None:
    """Raises DependencyError if a library that training needs is not installed."""
    for name in ("torch", "transformers", "trl", "accelerate", "peft", "gguf"):
        try:
            __import__(name)
        except ImportError as error:
            raise missing(name, "train", error) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out what TRL and transformers say of each run, such as that packing wants other
    kernels: masks by position do the same."""
    import datasets
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in ("trl", "transformers")]
    levels = [logger.level for logger in loggers]
    bars: list[Any] = [datasets, transformers_logging]
    shown = [bar.is_progress_bar_enabled() for bar in bars]
    for bar in bars:
        bar.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for bar, was_shown in zip(bars, shown, strict=True):
            if was_shown:
                bar.enable_progress_bar()
