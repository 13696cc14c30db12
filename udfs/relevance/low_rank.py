"""The truncated EASE: item vectors from a singular value decomposition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..device import device
from ..history import Doubles, Floats, History, Ints
from .sparse import SLICE, times

if TYPE_CHECKING:
    import torch

CONTENT_SHARE = 0.1  # energy of the feature rows against that of the event rows
ITERATIONS = 7  # of the subspace


def truncated_svd(
    starts: npt.NDArray[np.int64],
    item: Ints,
    weights: Floats,
    features: Floats | None,
    items: int,
    dimensions: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Right singular vectors (items, d) and squared singular values (d,) of [X; sqrt(alpha) F'].

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011).
    """
    import torch
    from scipy import sparse

    where = device()
    matrix = sparse.csr_array((weights, item, starts), shape=(len(starts) - 1, items))
    turned = matrix.T.tocsr()
    of_users = times(starts, item, weights, where)
    of_items = times(turned.indptr, turned.indices, turned.data, where)
    del matrix, turned
    content = torch.zeros((items, 0), device=where)
    if features is not None and features.any():
        content = torch.from_numpy(features).to(where)
        content = content * float(np.sqrt(content_scale(weights, features)))
    rank = min(dimensions, items, len(starts) - 1 + content.shape[1])
    width = min(rank + 16, items)
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn((items, width), generator=generator).to(where)
    image = basis
    for iteration in range(ITERATIONS):
        # before the last the columns only have to stay apart
        basis = orthonormal(image, 2 if iteration == ITERATIONS - 1 else 1)
        image = of_items(of_users(basis)) + content @ (content.T @ basis)
    values, rotation = torch.linalg.eigh((basis.T @ image).double())
    values = values.flip(0)[:rank].clamp(min=0).float()
    vectors = basis @ rotation.flip(1)[:, :rank].float()
    # the sign of a singular vector is arbitrary: the largest entry is made positive
    signs = torch.sign(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)))
    return (vectors * signs).cpu().numpy(), values.cpu().numpy()


def content_scale(weights: Floats, features: Floats) -> float:
    """alpha: what the squares of the features are multiplied by beside those of the events."""
    energy = float((weights.astype(np.float64) ** 2).sum())
    of_rows = np.einsum("ij,ij->i", features, features)
    return CONTENT_SHARE * energy / float(of_rows.sum(dtype=np.float64))


def orthonormal(matrix: torch.Tensor, times: int) -> torch.Tensor:
    """An orthonormal basis of the columns; to the last bits where it is made two times.

    By Cholesky factors of the Gram matrix (CholeskyQR2, Yamamoto et al. 2015), which reads a tall
    matrix a few times only; by Householder's where columns are nearly dependent.
    """
    import torch

    basis = matrix
    one = torch.eye(matrix.shape[1], dtype=torch.float64, device=matrix.device)
    for _ in range(times):
        gram = torch.zeros_like(one)
        for part in torch.split(basis, SLICE):
            wide = part.double()
            gram.addmm_(wide.T, wide)
        factor, failed = torch.linalg.cholesky_ex(gram)
        pivots = factor.diagonal()
        if int(failed) or float(pivots.min()) < 1e-5 * float(pivots.max()):
            householder: torch.Tensor = torch.linalg.qr(matrix).Q
            return householder
        basis = basis @ torch.linalg.solve_triangular(factor, one, upper=False).T.float()
    return basis


def damped(history: History, items: int, exponent: float) -> Floats:
    """The number of users of each item, at least 1, to the power of -exponent, shape (items,).

    The mean over the pairs is 1, so that the likenesses keep their size whatever the exponent.
    Dividing popular items down before the decomposition (as GF-CF: Shen et al. 2021, "How powerful
    is graph convolution for recommendation?") lets the rare ones shape the vectors, too.
    """
    users = np.bincount(history.item, minlength=items)
    out: Doubles = np.maximum(users, 1.0) ** -exponent
    damped: Floats = (out / damping_mean(history, items, exponent)).astype(np.float32)
    return damped


def damping_mean(history: History, items: int, exponent: float) -> float:
    """What the powers of the numbers of users are divided by."""
    users = np.bincount(history.item, minlength=items)
    mean = (users * np.maximum(users, 1.0) ** -exponent).sum() / max(users.sum(), 1)
    return max(float(mean), 1e-12)


def encoder_decoder(vectors: Floats, values: Floats, ridge: float) -> tuple[Floats, Floats]:
    """EASE's factors: B_ij = <encoder_i, decoder_j> off the diagonal."""
    gain = values / (values + ridge * max(float(values[0]), 1e-12))
    encoder = vectors * np.sqrt(gain)
    own = (encoder**2).sum(axis=1, keepdims=True)
    return encoder, encoder / np.maximum(1 - own, 0.05)
