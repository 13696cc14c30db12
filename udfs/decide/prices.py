"""Prices of limits, at which what users want keeps within them.

The best lists under limits are a linear program. Its Lagrangian falls apart into the users, each of
whom takes the k best items by score less the prices of the limits that an item falls under
(Everett 1963), and its value bounds what any lists could reach. Prices are found limit by limit,
each the one at which what is taken meets the limit while the others stay, as in an auction
(Bertsekas 1988).
"""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Floats, Longs
from .candidates import SLACK, Candidates, Flags, Limit, item_price

ROUNDS = 20, 300  # of prices: at least and at most
PAIRS = 2e8  # in all rounds, about
PATIENCE = 8  # rounds without a better bound
BETTER = 2e-4  # share of the value by which a bound has to be better to count


def value_at(
    candidates: Candidates, k: int, limits: list[Limit], prices: list[Doubles], empty: float
) -> tuple[float, float, Flags]:
    """What no lists under the limits are worth more than, by the Lagrangian at some prices.

    Args:
        candidates: of all users.
        k: places in a list.
        limits: which there are.
        prices: of each group of each limit.
        empty: what an empty place counts as.

    Returns:
        the bound of the sum of scores above `empty` where lists are of candidates alone; how much
        higher it is for any lists; and for which users another item might be worth more than what
        they take, shape (users,).
    """
    price = item_price(limits, prices, candidates.at.shape[1])
    reduced = candidates.reduced(price)
    best = -np.partition(-reduced, min(k, reduced.shape[1]) - 1, axis=1)[:, :k]
    if best.shape[1] < k:
        best = np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=-np.inf)
    rest = candidates.others(price)
    open_to = rest > np.maximum(best.min(axis=1), empty)
    inside = float(np.maximum(best.astype(np.float64) - empty, 0).sum())
    taken = float(np.maximum(np.maximum(best, rest[:, None]).astype(np.float64) - empty, 0).sum())
    bounds = sum(float(mine @ limit.bound) for limit, mine in zip(limits, prices, strict=True))
    return inside + bounds, taken - inside, open_to


def find_prices(
    candidates: Candidates, k: int, limits: list[Limit], prices: list[Doubles], empty: float
) -> list[Doubles]:
    """The prices of limits at which the bound is least; arguments as of value_at.

    From 0 on for what is at most allowed, and up to 0 for what is to be reached.
    """
    if not limits:
        return []
    best, found, since = value_at(candidates, k, limits, prices, empty)[0], prices, 0
    prices = [one.copy() for one in prices]
    top = float(candidates.score.max(initial=empty)) - empty
    steps = [np.ones(len(one)) for one in prices]
    moved = [np.zeros(len(one)) for one in prices]
    for _ in range(int(np.clip(PAIRS / max(candidates.score.size, 1), *ROUNDS))):
        for place in range(len(limits)):
            # no more than what outweighs every score: what cannot be reached has no price
            wanted = np.maximum(_price(candidates, k, limits, prices, empty, place), -top)
            move = wanted - prices[place]
            # where limits, or items of different costs, get in each other's way
            turned = move * moved[place] < 0
            steps[place] = np.where(turned, steps[place] / 2, np.minimum(steps[place] * 1.2, 1))
            prices[place] += steps[place] * move
            moved[place] = move
        now = value_at(candidates, k, limits, prices, empty)[0]
        since = 0 if now < best - BETTER * abs(best) else since + 1
        if now < best:
            best, found = now, [one.copy() for one in prices]
        if since == PATIENCE:
            break
    return found


def _price(
    candidates: Candidates,
    k: int,
    limits: list[Limit],
    prices: list[Doubles],
    empty: float,
    place: int,
) -> Doubles:
    """The price of each group of a limit, the others' staying, at which its demand meets it."""
    limit = limits[place]
    item, reduced = _sorted(candidates, item_price(limits, prices, candidates.at.shape[1]))
    group = limit.group[item]
    margin = reduced - np.maximum(_otherwise(group, reduced, k, empty, limit.by_item), empty)
    inside, now = (group >= 0) & np.isfinite(margin), prices[place]
    taken = inside & (margin > 0)
    load = limit.used(item[taken])
    # only where a price may change, and only the pairs that may change it
    if limit.least:
        moving = (load < limit.bound - SLACK) | (now < 0)
        pairs = np.flatnonzero(inside & moving[group])
    else:
        over = load > limit.bound + SLACK
        under = ~over & (now > 0)
        pairs = np.flatnonzero((taken & over[group]) | (inside & under[group]))
    group, cost = group.ravel()[pairs], limit.cost[item.ravel()[pairs]]
    # an offer: the price up to which the user would take the item
    offer = margin.ravel()[pairs] / cost + now[group]
    order = _by_group(group, offer)
    group, offer, cost = group[order], offer[order], cost[order]
    total = np.cumsum(cost)
    starts = np.searchsorted(group, np.arange(len(limit.bound)))
    ends = np.append(starts[1:], len(group))
    total = total - np.concatenate([[0.0], total])[starts][group]
    out = np.zeros(len(limit.bound))
    if limit.least:
        # the first with which it is reached, or the last that there is
        short = total < limit.bound[group] - SLACK
        at = starts + np.bincount(group[short], minlength=len(out))
        some = (ends > starts) & (limit.bound > 0)
        out[some] = np.minimum(offer[np.minimum(at, ends - 1)[some]], 0)
    else:
        fits = total <= limit.bound[group] + SLACK
        at = starts + np.bincount(group[fits], minlength=len(out))
        over = at < ends
        out[over] = np.maximum(offer[at[over]], 0)
    return out


def _sorted(candidates: Candidates, price: Doubles) -> tuple[Longs, Floats]:
    """Items and scores less their prices, the best first."""
    reduced = candidates.reduced(price)
    order = np.argsort(-reduced, axis=1)
    return np.take_along_axis(candidates.item, order, 1), np.take_along_axis(reduced, order, 1)


def _otherwise(group: Longs, reduced: Floats, k: int, empty: float, by_item: bool) -> Floats:
    """What users would have in the place of each item, or for which they would take it.

    For one of the k best it is the first of another group behind them, for another one the last of
    another group among them.

    Args:
        group: of the items, the best first, shape (users, c).
        reduced: scores less prices, the same.
        k: places in a list.
        empty: what an empty place counts as.
        by_item: whether no group has two items.
    """
    users, width = reduced.shape
    inner = min(k, width)
    nothing = np.full((users, 1), empty, np.float32)
    none = np.full((users, 1), -2)
    behind = (
        np.concatenate([reduced[:, inner:], nothing], axis=1),
        np.concatenate([group[:, inner:], none], axis=1),
    )
    # with places to spare nothing has to give way
    before = (
        (reduced[:, inner - 1 :: -1], group[:, inner - 1 :: -1]) if width >= k else (nothing, none)
    )
    out = np.empty_like(reduced)
    for part, (value, of) in ((slice(0, inner), behind), (slice(inner, width), before)):
        first = value[:, :1]
        if by_item or not out[:, part].size:
            out[:, part] = first
            continue
        other = of != of[:, :1]
        there = other.any(axis=1, keepdims=True)
        second = np.take_along_axis(value, other.argmax(axis=1)[:, None], 1)
        # without any other: nobody gives way to an item of one's own group
        second = np.where(there, second, empty if part.start == 0 else np.inf)
        out[:, part] = np.where(group[:, part] == of[:, :1], second, first)
    return out


def _by_group(group: Longs, value: Doubles) -> Longs:
    """The order of pairs by group and, within it, from the largest value on."""
    bits = (value + 0.0).astype(np.float32).view(np.int32)
    # floats in the order of their bits, which are sorted faster than two keys
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    out: Longs = np.argsort((group << 32) - ordered)
    return out
