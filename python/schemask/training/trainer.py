"""TRL's trainer, with scores where there is something to learn alone."""

from __future__ import annotations

import inspect
from typing import Any


def trainer_class(model: Any) -> type[Any]:
    """The `SFTTrainer` for a model.

    Where TRL has no kernel of its own, as on a processor, it scores the whole vocabulary at each
    position. Of a conversation with tools, a tenth of the positions or less are trained, and with a
    small model the scores take a third of the time of a step.

    Args:
        model: The model as transformers loads it.

    Raises:
        DependencyError: TRL is not installed.
    """
    import torch
    from trl import SFTTrainer  # type: ignore[attr-defined]

    if torch.accelerator.is_available():
        return SFTTrainer
    if hasattr(model.config.get_text_config(), "output_router_logits"):
        return SFTTrainer  # it adds a loss of its own, by which experts share the work
    if "logits_to_keep" not in inspect.signature(type(model).forward).parameters:
        return SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            """The loss of the tokens with labels, as the mean over the whole step.

            Args:
                model: The model.
                inputs: A batch with `labels`, of shape (rows, tokens).
                return_outputs: Whether to return what the model returned, too.
                num_items_in_batch: Tokens with labels in the step, over all batches and processes.
            """
            given = dict(inputs)
            targets = given.pop("labels")[:, 1:]
            kept = (targets >= 0).any(dim=0).nonzero().flatten()
            outputs = model(**given, use_cache=False, logits_to_keep=kept)
            loss = torch.nn.functional.cross_entropy(
                outputs.logits.float().flatten(0, 1), targets[:, kept].flatten(), reduction="sum"
            )
            count = num_items_in_batch
            if count is None:
                count = (targets >= 0).sum()
            elif self.args.average_tokens_across_devices:
                # The gradients of the processes are averaged.
                loss = loss * self.accelerator.num_processes
            loss = loss / torch.as_tensor(count).clamp(min=1)
            return (loss, outputs) if return_outputs else loss

    return Trainer
