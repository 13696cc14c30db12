"""Offers of campaigns to users: what is known of them at a moment, and what came of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import duckdb
import numpy as np
import pyarrow as pa

from ..arrays import whole
from ..templates import arrow, identifier, literal, sql, type_of
from ..udfs.decide.candidates import Flags
from ..udfs.history import Clock, Doubles, Events, Floats, History, Longs
from ..udfs.ranking.catalogue import Catalogue, Selection
from ..udfs.ranking.lists import rank

FEATURES = {
    "relevance": "mean relevance of the ten items of the campaign that fit the user best",
    "activity": "purchases before, logarithm",
    "bought": "purchases of the campaign's items before, logarithm",
    "redeemed": "campaigns taken part in before, logarithm",
    "offered": "campaigns offered before, logarithm",
    "discounted": "purchases at a discount before, logarithm",
    "size": "items of the campaign, logarithm",
}
READ = tuple(FEATURES)[1:]  # by SQL
BEST = 10  # items of a campaign that its relevance is the mean of
AT_ONCE = 2048  # users
PRIOR = 20  # purchases of all items that what one of a campaign's brings is drawn towards

DIGITS = 9  # of features

HistoryOf = Callable[[pa.Array, float], History]


def _numbered(users: list[str]) -> pa.Table:
    return pa.table({"user_id": pa.array(users, pa.string()), "number": np.arange(len(users))})


@dataclasses.dataclass(frozen=True)
class Fit:
    """How well campaigns fit users, one row per pair: mean relevance, and the items, best first."""

    relevance: Doubles
    item: Longs


@dataclasses.dataclass(frozen=True)
class Offers:
    """Pairs of a user and a campaign at a moment; x are the FEATURES, shape (n, 7).

    member says which users the campaign was offered to, or kept from; took, purchases and value are
    what came of each until the campaign ended.
    """

    x: Doubles
    member: Flags
    took: Doubles
    purchases: Doubles
    value: Doubles
    item: Longs


class Fitting:
    """How well campaigns fit users, by a catalogue.

    Args:
        con: gives a connection to the database of the recommender.
        name: the recommender.
        catalogue: scores the items.
        numbered: the table, as SQL, that numbers the items of the catalogue.
        history_of: the history of users, given as texts, at a moment.
        only: some items of the catalogue, by their sorted numbers; None for none.
    """

    def __init__(
        self,
        con: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
        name: str,
        catalogue: Catalogue,
        numbered: str,
        history_of: HistoryOf,
        only: Callable[[Longs], Selection | None],
    ) -> None:
        self._connect, self._name, self._numbered = con, name, numbered
        self._catalogue, self._history_of, self._only = catalogue, history_of, only
        self._items: dict[str, Selection | None] = {}

    def items_of(self, campaign: str) -> Selection | None:
        """The items that a campaign is about; None where the catalogue has none of them."""
        if campaign not in self._items:
            with self._connect() as con:
                query = sql(
                    "decide/campaign_item_numbers",
                    items=items_of_campaigns(self._name),
                    numbered=self._numbered,
                )
                rows = con.execute(query, [campaign]).fetchnumpy()["item_index"]
            self._items[campaign] = self._only(np.asarray(rows, np.int64))
        return self._items[campaign]

    def fit(self, users: pa.Array, campaigns: list[str], at: float) -> Fit:
        """The fit of every pair, with the pairs of a user beside each other.

        Args:
            users: as texts, at most AT_ONCE.
            campaigns: as texts.
            at: the moment, in seconds of the epoch.
        """
        count = len(users)
        relevance = np.full((count, len(campaigns)), np.nan)
        item = np.full((count, len(campaigns), BEST), -1)
        weights = np.zeros((count, len(self._catalogue.kinds)))
        # in spreads of relevance, of which its unit is a share that the recommender in use and one
        # of the past need not have in common
        share = self._catalogue.model.chosen.get("unit_share", 1.0)
        weights[:, self._catalogue.of_kind("relevance")] = share
        batch = self._catalogue.batch(self._history_of(users, at), count)
        for place, campaign in enumerate(campaigns):
            items = self.items_of(campaign)
            if items is None:
                continue
            depth = min(BEST, len(items.items))
            found = rank(self._catalogue, batch.among(items), weights, depth, "mmr")
            relevance[:, place] = found.score.mean(axis=1)
            item[:, place, :depth] = found.item
        return Fit(relevance.ravel(), item.reshape(-1, BEST))


def items_of_campaigns(name: str) -> str:
    """SQL of the items that the campaigns of a recommender are about."""
    return sql("decide/items_of_campaigns", schema=identifier(name))


def read_offers(
    con: duckdb.DuckDBPyConnection,
    name: str,
    user: pa.Array,
    campaign: pa.Array,
    at: Doubles,
    half_life: float,
    fit: Fit,
) -> Offers:
    """Read what is known of offers, and what came of them.

    Args:
        con: a connection to the database.
        name: the recommender.
        user: of each offer, as text; NULL for someone unknown.
        campaign: of each, as text.
        at: the moment of each, in seconds of the epoch.
        half_life: in seconds, after which what was before counts half.
        fit: of each.
    """
    count = len(user)
    con.register(
        "morec_offers",
        pa.table(
            {"place": np.arange(count), "user_id": user, "campaign_id": campaign, "moment": at}
        ),
    )
    schema = identifier(name)
    table = arrow(
        con,
        sql(
            "decide/offers",
            schema=schema,
            items=items_of_campaigns(name),
            user_type=type_of(con, "user_id", f"{schema}.events"),
            half_life=literal(half_life),
        ),
    )
    con.unregister("morec_offers")
    columns = {
        one: whole(table.column(one)).cast(pa.float64()).to_numpy(zero_copy_only=False)
        for one in (*READ, "took", "purchases", "value")
    }
    # sums of several cores differ in their last digits
    x = np.column_stack([fit.relevance, *(columns[one] for one in READ)]).round(DIGITS)
    member = table.column("member").to_numpy()
    return Offers(x, member, columns["took"], columns["purchases"], columns["value"], fit.item)


def worth_of(
    con: duckdb.DuckDBPyConnection, name: str, campaigns: Iterable[str], at: Doubles
) -> dict[str, float]:
    """What a purchase of each campaign's items had brought on average before a moment of each."""
    campaigns = list(campaigns)
    con.register(
        "morec_moments",
        pa.table({"place": np.arange(len(campaigns)), "campaign_id": campaigns, "moment": at}),
    )
    items = items_of_campaigns(name)
    query = sql("decide/campaign_worth", schema=identifier(name), items=items, prior=literal(PRIOR))
    found = arrow(con, query).column("worth").to_pylist()
    con.unregister("morec_moments")
    return dict(zip(campaigns, found, strict=True))


class PastEvents:
    """The events of users in a training of the past, for their histories at later moments.

    Args:
        con: with the table morec_items of the training.
        name: the recommender.
        users: whose events, as sorted texts.
        clock: of the training.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, name: str, users: list[str], clock: Clock
    ) -> None:
        con.register("morec_offered", _numbered(users))
        query = sql("decide/events_of_offered", schema=identifier(name))
        found = con.execute(query).fetchnumpy()
        con.unregister("morec_offered")
        self._number = {user: number for number, user in enumerate(users)}
        self._user = np.asarray(found["user_number"], np.int64)
        self._item = np.asarray(found["item_index"], np.int32)
        self._time = np.asarray(found["seconds"], np.float64)
        self._weight: Floats = np.asarray(found["weight"], np.float32)
        self._starts = np.searchsorted(self._user, np.arange(len(users) + 1))
        self._clock = clock

    def history(self, users: pa.Array, at: float) -> History:
        """The histories of users as they were at a moment."""
        number = np.array([self._number[user] for user in users.to_pylist()], np.int64)
        first, last = self._starts[number], self._starts[number + 1]
        place = np.repeat(first - np.concatenate([[0], np.cumsum(last - first)[:-1]]), last - first)
        place += np.arange(len(place))
        user = np.repeat(np.arange(len(number), dtype=np.int32), last - first)
        kept = self._time[place] < at
        place, user = place[kept], user[kept]
        events = Events.sorted(
            user, self._item[place], self._time[place], self._weight[place], False
        )
        return events.history(self._clock, at)
