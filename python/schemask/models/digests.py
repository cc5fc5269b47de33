"""What tells the weights of one model from those of another, whatever their names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from schemask.chat import ChatTemplate

_CHUNK = 1 << 20


def file_digest(path: Path) -> str | None:
    """Sixteen digits for the content of a file, or None if it cannot be read.

    Args:
        path: The file.
    """
    known = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                known.update(part)
    except OSError:
        return None
    return known.hexdigest()[:16]


def file_facts(path: Path) -> list[list[Any]]:
    """Name, size and time of a model's files, by which it is known without being read.

    Args:
        path: The file, or the folder.

    Raises:
        OSError: They cannot be looked at.
    """
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    facts = [(file.name, file.stat()) for file in files]
    return [[name, fact.st_size, fact.st_mtime_ns] for name, fact in facts]


def weights_digest(model: Any, tokenizer: Any) -> str:
    """Sixteen digits for the weights of a model of transformers, and for its chat template.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
    """
    import torch

    known = hashlib.sha256(repr(getattr(tokenizer, "chat_template", None)).encode())
    for name, value in sorted(model.state_dict().items()):
        known.update(name.encode())
        if isinstance(value, torch.Tensor):
            known.update(f"{value.dtype} {tuple(value.shape)}".encode())
            parts = value.detach().cpu().contiguous().reshape(-1)
            known.update(parts.view(torch.uint8).numpy().tobytes())
        else:
            known.update(repr(value).encode())
    return known.hexdigest()[:16]


def with_template(digest: str | None, template: ChatTemplate | str | None) -> str | None:
    """The digest of a model that is asked by another chat template than its own.

    Args:
        digest: That of the model.
        template: The template, or the text or path of one.
    """
    if digest is None or template is None:
        return digest
    text = template.text if isinstance(template, ChatTemplate) else template
    return hashlib.sha256(f"{digest} {text}".encode()).hexdigest()[:16]
