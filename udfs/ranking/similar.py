"""The items most like one, by behaviour, by text, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..device import device
from ..history import Floats, Longs

if TYPE_CHECKING:
    import torch

WAYS = ("behaviour", "text", "both")


class Likes:
    """Cosines of items, by how they behave in histories, by their texts, or the mean of both.

    Where an item has no vector of one kind, its cosines of that kind are 0.

    Args:
        behaviour: a vector an item, shape (n, d).
        texts: unit-length vectors of the texts, shape (m, t).
        text_id: the row of `texts` for each item, shape (n,); -1 for an item without one.
    """

    def __init__(self, behaviour: Floats, texts: Floats, text_id: Longs) -> None:
        import torch

        self.has_texts = len(texts) > 0
        length = np.linalg.norm(behaviour, axis=1, keepdims=True)
        self.behaviour = torch.from_numpy(behaviour / np.maximum(length, 1e-12)).to(device())
        nothing = np.zeros((1, texts.shape[1]), np.float32)
        self.texts = torch.from_numpy(np.concatenate([texts, nothing])).to(device())
        self.text_id = torch.from_numpy(np.where(text_id < 0, len(texts), text_id)).to(device())

    def most(
        self, items: Longs, k: int, by: str, allowed: Longs | None = None
    ) -> tuple[Floats, Longs]:
        """The k items most like each of some items, which are left out themselves.

        Args:
            items: the items, shape (q,).
            k: how many.
            by: one of WAYS.
            allowed: sorted items that may come, None for all.

        Returns:
            cosines and items, shape (q, k), the largest first; -inf where there are no more.
        """
        import torch

        from ..topk import Given, top

        asked = torch.from_numpy(items).to(device())
        among = None if allowed is None else torch.from_numpy(allowed).to(device())
        count = len(self.text_id) if among is None else len(among)
        parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        if by != "text":
            parts.append((self.behaviour, self.behaviour[asked], None))
        if by != "behaviour":
            text_id = self.text_id if among is None else self.text_id[among]
            parts.append((self.texts, self.texts[self.text_id[asked]], text_id))

        def scores(part: slice) -> torch.Tensor:
            out = torch.zeros((len(asked), part.stop - part.start), device=asked.device)
            for vectors, query, index in parts:
                if index is not None:
                    out += (query @ vectors.T)[:, index[part]]
                elif among is not None:
                    out += query @ vectors[among[part]].T
                else:
                    out += query @ vectors[part].T
            return out / len(parts)

        place = asked if among is None else torch.searchsorted(among, asked)
        itself = torch.arange(len(asked), device=asked.device)
        if among is not None:
            inside = place < count
            inside &= among[place.clamp_max(count - 1)] == asked
            place, itself = place[inside], itself[inside]
        out = torch.full((len(place),), -torch.inf, device=asked.device)
        score, column = top(scores, count, Given(itself, place, out), min(k, count))
        found = column if among is None else among[column]
        return score.cpu().numpy(), found.cpu().numpy()
