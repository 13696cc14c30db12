"""Some users of a window of time, against whom settings and weights are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..device import device
from ..history import Floats, History, Longs, Window, bounds
from .model import normalised, pair_weights
from .sparse import entries

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array

SHORT_HISTORIES = (0, 1, 2, 3, 5, 8, 13)  # sizes of the histories cut short
VALIDATION_USERS = 2000
OTHERS = 500  # users that say enough beside those of a sample, or of these where much is tried
CLEARLY = 1.02  # how much better what is clearly better is at least
CERTAIN = 2.5  # standard errors by which a source must make lists better, the best of some
LISTED = 20  # length of the lists by which settings are compared


class Sample:
    """Some of the users of a window of time: their histories before it and what they did in it.

    A pair of a user (numbered by the place in the sample) and an item is one number. In `rows` each
    user stands twice, with all of the history and with a few items of it, so that short histories
    are learnt too.
    """

    def __init__(
        self,
        window: Window,
        users: int,
        items: int,
        seed: int,
        among: npt.NDArray[np.int64] | None = None,
        most: int = VALIDATION_USERS,
    ) -> None:
        self.window, self.all_users, self.seed = window, users, seed
        self.past, self.items = window.past, items
        self.timed, self.timeless, self.signals = window.timed, window.timeless, window.signals
        generator = np.random.default_rng(seed)
        sample = np.unique(window.user).astype(np.int64) if among is None else among
        if len(sample) > most:
            sample = np.sort(generator.choice(sample, most, replace=False))
        self.users, self.numbers = len(sample), sample
        self.whole = window.past.of_users(sample, users)
        place = np.minimum(np.searchsorted(sample, window.user), self.users - 1)
        inside = sample[place] == window.user
        self.truth = np.unique(place[inside] * items + window.item[inside])

        # what is new to the user: what likeness and popularity have to find
        self.fresh = np.setdiff1d(self.truth, self.pairs_of(self.whole))

        key = generator.random(len(self.whole))
        size = generator.choice(SHORT_HISTORIES, self.users)
        self.short = self.whole.smallest(key, size[self.whole.user])
        self.rows = self.whole.followed_by(self.short, self.users)

    def others(self, most: int) -> Sample:
        """A sample of other users of the window, or of the same where the others are few."""
        others = np.setdiff1d(self.window.user, self.numbers).astype(np.int64)
        among = others if len(others) >= OTHERS else self.numbers
        return Sample(self.window, self.all_users, self.items, self.seed, among, most)

    def some(self, most: int) -> Sample:
        """The same for so many of its users, where it has more than that."""
        if self.users <= most:
            return self
        return Sample(self.window, self.all_users, self.items, self.seed, self.numbers, most)

    def pairs(self, half_life: int) -> tuple[Longs, Floats]:
        """Where each user's pairs of the whole histories start, and their weights in its vector."""
        starts = bounds(self.whole.user, self.users)
        return starts, normalised(pair_weights(self.whole, half_life), starts)

    def repeat_share(self) -> float:
        """The share of what the users did in the window that they had done before it."""
        return float(np.isin(self.truth, self.pairs_of(self.whole)).mean())

    def repeated(self) -> npt.NDArray[np.bool_]:
        """Which pairs of the whole histories came again."""
        return np.isin(self.pairs_of(self.whole), self.truth)

    def pairs_of(self, history: History) -> npt.NDArray[np.int64]:
        """The pairs of a history as numbers."""
        return history.user.astype(np.int64) * self.items + history.item

    def ndcg(
        self, queries: Floats, table: Floats, more: csr_array | None = None
    ) -> npt.NDArray[np.float64]:
        """nDCG of the best items new to the user, of the users who took any up, shape (these,).

        Args:
            queries: shape (users, columns).
            table: what they are multiplied by, shape (items, columns).
            more: scores that are added, shape (users, items).
        """
        lists = best_unseen(queries, table, self.whole, min(LISTED, self.items), more)
        return self.ndcg_of(lists, True)

    def evaluated(self, fresh: bool) -> Longs:
        """The users who took anything up, or anything new to them."""
        return np.unique((self.fresh if fresh else self.truth) // self.items)

    def ndcg_of(self, lists: npt.NDArray[np.int64], fresh: bool) -> npt.NDArray[np.float64]:
        """nDCG of lists, shape (users, k), of the users who took anything up, shape (these,).

        fresh: whether only what is new to the user counts.
        """
        return ndcg_of(lists, self.fresh if fresh else self.truth, self.items)


def ndcg_of(
    lists: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], items: int
) -> npt.NDArray[np.float64]:
    """nDCG of lists, shape (users, k), of the users of whom anything is true, shape (these,).

    Args:
        lists: of items.
        truth: distinct pairs, each the user's place among the lists * items + the item.
        items: how many there are.
    """
    sizes = np.bincount(truth // items, minlength=len(lists))
    evaluated = np.flatnonzero(sizes[: len(lists)])
    hits = np.isin(evaluated[:, None] * items + lists[evaluated], truth)
    discount = 1 / np.log2(np.arange(lists.shape[1]) + 2)
    ideal = np.cumsum(discount)[np.minimum(sizes[evaluated], lists.shape[1]) - 1]
    out: npt.NDArray[np.float64] = (hits * discount).sum(axis=1) / ideal
    return out


def compared(
    lists: str, new: npt.NDArray[np.float64], old: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """What a source is worth, as it is told of: nDCG with and without it, and whether that is sure.

    Args:
        lists: what is measured.
        new: nDCG with it, shape (users,).
        old: without, of the same.
    """
    gain = new - old
    error = float(gain.std() / max(len(gain), 1) ** 0.5)
    return {
        "lists": lists,
        "users": len(new),
        "with": mean(new),
        "without": mean(old),
        "error": error,
        "used": mean(gain) > CERTAIN * error,
    }


def mean(values: npt.NDArray[np.float64]) -> float:
    """Their mean; 0 of none."""
    return float(values.mean()) if len(values) else 0.0


def better(
    new: npt.NDArray[np.float64], old: npt.NDArray[np.float64], clearly: float = CLEARLY
) -> bool:
    """Whether new values of the same users are clearly better: by more than a standard error.

    The one-SE rule (Breiman et al. 1984): what differs by less stays what it is expected to be.

    Args:
        new: shape (users,).
        old: shape (users,).
        clearly: how many times as good they are at least, too.
    """
    if len(new) < 2:
        return False
    gain = new - old
    least = max(float(gain.std()) / len(gain) ** 0.5, (clearly - 1) * mean(old))
    return bool(mean(gain) > least)


def best_unseen(
    queries: Floats, decoder: Floats, rows: History, k: int, more: csr_array | None = None
) -> npt.NDArray[np.int64]:
    """The k best items by likeness that a row's history does not hold, best first.

    Args:
        queries: shape (users, columns).
        decoder: what they are multiplied by, shape (items, columns).
        rows: the histories.
        k: how many.
        more: scores that are added, shape (users, items).
    """
    import torch

    from ..table import Table
    from ..topk import Given

    where = device()
    vectors = torch.from_numpy(np.ascontiguousarray(decoder)).to(where)
    table = Table.by_length(vectors, (vectors.shape[1],))
    starts = bounds(rows.user, len(queries))
    index = []

    def given(user: npt.NDArray[Any], item: npt.NDArray[Any], score: torch.Tensor) -> Given:
        return Given(
            torch.from_numpy(user.astype(np.int64)).to(where),
            torch.from_numpy(item.astype(np.int64)).to(where),
            score,
        )

    for first in range(0, len(queries), table.users):
        last = min(first + table.users, len(queries))
        query = torch.from_numpy(queries[first:last]).to(where)
        mine = slice(starts[first], starts[last])
        unwanted = torch.full((mine.stop - mine.start,), -torch.inf, device=where)
        seen = given(rows.user[mine] - first, rows.item[mine], unwanted)
        extra = None
        if more is not None:
            user, item, score = entries(more, first, last)
            extra = given(user, item, torch.from_numpy(score).to(where))
        index.append(table.top(query, seen, k, extra)[1].cpu().numpy())
    return np.concatenate(index)
