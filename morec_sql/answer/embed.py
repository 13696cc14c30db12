"""embed, embed_image and similarity: embedding models over any column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..registry import Argument, udf
from ..session import Session
from ..udfs.embedding import DEFAULT_MODEL, embed_images, embed_texts

MODEL = Argument(
    "model", f"a sentence-transformers name or folder; {DEFAULT_MODEL} by default", "NULL"
)


@udf(
    "embed", None, "FLOAT[]", (Argument("text", "a text, or a vector, which stays as it is"), MODEL)
)
def embed(_: Session, *arguments: pa.Array) -> pa.Array:
    """The unit-length vector of a text."""
    if len(arguments) not in (1, 2):
        raise MorecError(f"embed: (text) or (text, model) is needed, not {len(arguments)} values")
    return _embedded(*arguments)


@udf(
    "embed_image",
    ["BLOB", "VARCHAR"],
    "FLOAT[]",
    (
        Argument("content", "a picture, such as read_blob reads it; NULL for what is none"),
        Argument("model", "a sentence-transformers name or folder, such as 'clip-ViT-B-32'"),
    ),
)
def embed_image(_: Session, contents: pa.Array, models: pa.Array) -> pa.Array:
    """The unit-length vector of a picture, in the space of embed(text, model) of the same model."""
    vectors = embed_images(contents.to_pylist(), _one_model(models))
    return pa.array(vectors, pa.list_(pa.float32()))


@udf(
    "similarity",
    None,
    "FLOAT",
    (Argument("a", "a text or a vector"), Argument("b", "a text or a vector"), MODEL),
)
def similarity(_: Session, *arguments: pa.Array) -> pa.Array:
    """The cosine of the vectors of two texts, from -1 to 1."""
    if len(arguments) not in (2, 3):
        raise MorecError(
            f"similarity: (a, b) or (a, b, model) is needed, not {len(arguments)} values"
        )
    left, right, *models = arguments
    one, other = _embedded(left, *models), _embedded(right, *models)
    known = np.logical_and(
        *(column.is_valid().to_numpy(zero_copy_only=False) for column in (one, other))
    )
    out = np.zeros(len(left), np.float32)
    rows = np.flatnonzero(known)
    if len(rows):
        a, b = (np.asarray(x.take(pa.array(rows)).to_pylist(), np.float32) for x in (one, other))
        if a.shape != b.shape:
            raise MorecError(
                f"similarity: vectors of {a.shape[-1]} and {b.shape[-1]} dimensions came;"
                " both must have the same"
            )
        length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        out[rows] = np.einsum("ij,ij->i", a, b) / np.maximum(length, 1e-12)
    return pa.array(out, mask=~known)


def _embedded(values: pa.Array, models: pa.Array | None = None) -> pa.Array:
    """Vectors of texts; values that are vectors already stay as they are."""
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.list_(pa.float32()))
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return values.cast(pa.list_(pa.float32()))
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise MorecError(f"text: {values.type} came, but embed and similarity take text or vectors")
    name = DEFAULT_MODEL if models is None else _one_model(models)
    present = values.is_valid().to_numpy(zero_copy_only=False)
    vectors = embed_texts(values.drop_null().to_pylist(), name)
    lengths = np.where(present, vectors.shape[1], 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(vectors.ravel()), mask=pa.array(~present)
    )


def _one_model(models: pa.Array) -> str:
    """The name of the model of a query."""
    names = set(models.to_pylist())
    if len(names) != 1 or None in names:
        raise MorecError("model: one name for the whole query is needed")
    return str(names.pop())
