"""Why an item has its score: the parts that add up to it, exactly."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, History, Longs
from .catalogue import Batch, Catalogue
from .terms import TERMS, Block


@dataclasses.dataclass(frozen=True)
class Reason:
    """A part of a score.

    kind is "history item" or "content" for what an item of the history adds by behaviour or by its
    text, "list item" for what one listed before adds in diversity, each of which names the `item`;
    "attribute" or "context" for what a `label` adds; "friends" for what these took; "shown" for
    what was passed over; "repeat", "popularity" or "average" (minus the mean relevance over the
    catalogue); or "objective", which names that at `position`.
    """

    kind: str
    contribution: float
    item: int = -1
    position: int = -1
    label: int = -1


def reasons(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    item: int,
    before: Longs,
    diversify: str,
    known: float | None,
) -> list[Reason]:
    """The parts of an item's score for one user.

    Args:
        catalogue: the recommender.
        batch: the user alone.
        weights: shape (objectives,).
        item: the item.
        before: the items before it in the list.
        diversify: as in lists.rank.
        known: the relevance of an item of the history, in log-odds; None for another.
    """
    found = []
    factor = weights[catalogue.of_kind("relevance")].sum() / catalogue.model.unit
    if factor:
        found = _of_relevance(catalogue, batch.history, item, known)
        found.append(Reason("average", -float(batch.mean[0])))
        found = [dataclasses.replace(one, contribution=factor * one.contribution) for one in found]
    slope, curve, constant = (part[0] for part in catalogue.fit(batch.tastes))
    of_fits = catalogue.of_kind("fit")
    for position in catalogue.of_kind("item", "fit"):
        value = float(catalogue.values[item, position])
        if position in of_fits:
            fit = of_fits.index(position)
            value = slope[fit] * value + curve[fit] * value**2 + constant[fit]
        found.append(Reason("objective", float(weights[position] * value), position=position))
    for position in catalogue.of_kind(*TERMS):
        found += _of_list(catalogue, batch, weights, position, item, before, diversify)
    return found


def _of_relevance(
    catalogue: Catalogue, history: History, item: int, known: float | None
) -> list[Reason]:
    """The parts of the log-odds of relevance, but for the mean."""
    parts, labels = catalogue.model.in_parts(history, item), history.labels.label
    kinds = np.where(catalogue.model.in_context(labels), "context", "attribute")
    by_label = [
        Reason(str(kind), part, label=label)
        for kind, label, part in zip(kinds, labels.tolist(), parts.labels.tolist(), strict=True)
        if part
    ]
    if known is not None:
        by_context = [one for one in by_label if one.kind == "context"]
        rest = known - sum(one.contribution for one in by_context)
        return [Reason("repeat", rest, item), *by_context]
    found = [Reason("popularity", parts.popularity)]
    if parts.friends:
        found.append(Reason("friends", parts.friends))
    if parts.shown:
        found.append(Reason("shown", parts.shown))
    for kind, of_pairs in (("history item", parts.behaviour), ("content", parts.content)):
        pairs = zip(history.item.tolist(), of_pairs.tolist(), strict=True)
        found += [Reason(kind, part, of) for of, part in pairs if part]
    return found + by_label


def _of_list(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    position: int,
    item: int,
    before: Longs,
    diversify: str,
) -> list[Reason]:
    """What an item adds to a list in a list-wise objective."""
    import torch

    if not weights[position]:
        return [Reason("objective", 0.0, position=position)]
    column = torch.from_numpy(np.append(before, item))[None]
    block = Block(catalogue, batch, slice(0, 1), column.to(catalogue.table.rows.device), diversify)
    (term,) = block.terms([position], weights[None])
    gains = []
    for place in range(len(before) + 1):
        gains.append(float(term.gain()[0, -1]))
        term.add(torch.tensor([place], device=block.item.device))
    by_item = catalogue.kinds[position].startswith("diversity") and diversify == "mmr"
    if not by_item or not len(before):
        return [Reason("objective", gains[-1], position=position)]
    # the mean over the items before is the sum of what each of them has in it
    sums = np.array(gains) * np.arange(len(gains))
    parts = np.diff(sums) / len(before)
    return [
        Reason("list item", float(part), int(of), position)
        for of, part in zip(before, parts, strict=True)
    ]
