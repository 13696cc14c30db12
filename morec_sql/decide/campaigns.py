"""The campaigns of a recommender at a moment, and how they are rated for users."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from ..answer.history import history_of
from ..answer.query import Query, new_query
from ..arrays import listed
from ..catalog.recommenders import events_known
from ..errors import MorecError, nearest, shown
from ..registry import Argument
from ..session import Session
from ..source.checks import weights
from ..source.expressions import evaluated, expression
from ..source.tables import Table
from ..templates import identifier, literal, sql
from ..udfs.decide.candidates import Flags
from ..udfs.decide.response import FEWEST_GROUPS
from ..udfs.history import DAY, Doubles, History, Longs
from ..udfs.ranking.catalogue import Selection
from .campaign_model import OBJECTIVES, OUTCOMES, CampaignModel, load_model
from .offers import AT_ONCE, Fitting, Offers, read_offers, worth_of

T = TypeVar("T")
SHOWN = 5  # items of a campaign that fit a user best

AS_OF = Argument(
    "as_of",
    "the moment; just behind the last event by default",
    "NULL",
    "epoch(CAST(as_of AS TIMESTAMP))",
)
# of the objectives with an interval
ENDS = [f"{of}_{end}" for of in OUTCOMES for end in ("low", "high")]
VALUES = {
    "score": "DOUBLE",
    **dict.fromkeys(OBJECTIVES, "DOUBLE"),
    **dict.fromkeys(ENDS, "DOUBLE"),
    "contributions": "DOUBLE[]",
    "items": "VARCHAR[]",
    "offered": "BOOLEAN",
    "evidence": "VARCHAR",
}
ABOUT_VALUES = {
    "score": "the weighted sum of the objectives, each in standard deviations of past offers",
    "participation": "the chance to take part, if it is offered",
    "conversion": "the expected value of purchases of its items until it ends, if it is offered",
    "satisfaction": OBJECTIVES["satisfaction"],
    "uplift": "the expected value beyond what comes without the offer; NULL without a control"
    " group",
    "participation_low": "its 90 % interval: by how much the chances of a campaign were off as a"
    " whole when it was left out, so that sums over users are ends of the sum; NULL of fewer than"
    f" {FEWEST_GROUPS} past campaigns",
    "participation_high": "the other end",
    "conversion_low": "its 90 % interval, likewise",
    "conversion_high": "the other end",
    "uplift_low": "its 90 % interval, likewise",
    "uplift_high": "the other end",
    "contributions": "what each objective adds to the score",
    "items": "those of its items that fit the user best, the best first",
    "offered": "whether it was offered already, or kept from the user as a control",
    "evidence": "what stands behind the numbers: randomised (a control group was drawn),"
    " observational (whom past offers went to was not), or extrapolated (no past one was like it)",
}


@dataclasses.dataclass(frozen=True)
class Campaign:
    """A campaign: its id as text, and when it starts and ends, in seconds of the epoch."""

    id: str
    starts: float
    ends: float


@dataclasses.dataclass(frozen=True)
class Rated:
    """Offers with their objectives, shape (n, objectives), scores and what makes these up."""

    offers: Offers
    values: Doubles
    contributions: Doubles
    beyond: Flags

    @property
    def score(self) -> Doubles:
        """Shape (n,)."""
        out: Doubles = self.contributions.sum(axis=1)
        return out


class Campaigns:
    """The campaigns of a recommender at a moment, for the users of a query.

    Args:
        query: the query.
        at: the moment in seconds of the epoch, None for just behind the last event.
        given: weights, as JSON has them.

    Raises:
        MorecError: the recommender has no campaigns, or the weights are wrong.
    """

    def __init__(self, query: Query, at: float | None, given: Any = None) -> None:
        self.query, self.recommender = query, query.recommender
        with query.connect() as con:
            self.model: CampaignModel = load_model(con, query.name)
            if at is None:
                at = (events_known(con, query.name)[2] or 0.0) + 1.0
        self.at = at
        self.weights = self.model.weights
        if given is not None:
            self.weights = np.array(weights(given, self.model.objectives))
        where = self.recommender.where.item_vectors
        self._fitting = Fitting(
            query.connect, query.name, self.recommender.catalogue, where, self._history, self._some
        )

    def _history(self, users: pa.Array, at: float) -> History:
        moments = pa.repeat(pa.scalar(at, pa.float64()), len(users))
        return history_of(self.query.histories(users), moments, self.recommender)

    def _some(self, items: Longs) -> Selection | None:
        """Items of a campaign, those that are recommended, kept for the next query."""
        there = np.zeros(self.recommender.catalogue.items, bool)
        there[items] = True
        there &= self.recommender.listed
        catalogue = self.recommender.catalogue
        if not there.any():
            return None
        return self.recommender.kept.selections.get(
            (catalogue, np.packbits(there).tobytes()),
            lambda: catalogue.only(np.flatnonzero(there)),
        )

    def view(self, con: duckdb.DuckDBPyConnection) -> Table:
        """The view of the campaigns."""
        view = f"{identifier(self.query.name)}.campaigns"
        columns = con.execute(f"DESCRIBE {view}").fetchall()
        return Table(view, {row[0]: row[1] for row in columns})

    def open(self, predicate: str | None = None) -> list[Campaign]:
        """The campaigns that are not over, and that a predicate keeps."""
        with self.query.connect() as con:
            schema = identifier(self.query.name)
            written = "true"
            if predicate is not None:
                written = expression(con, "filter", predicate, self.view(con), wanted="predicate")
            query = sql(
                "decide/campaigns_open", schema=schema, predicate=written, at=literal(self.at)
            )
            with evaluated("filter", predicate):
                return [Campaign(*row) for row in con.execute(query).fetchall()]

    def one(self, name: str | None) -> Campaign:
        """A campaign by its id, which is not over, or a MorecError."""
        found = {one.id: one for one in self.open()}
        if name is None or name not in found:
            hint = nearest(name or "", found) if found else "there is none"
            raise MorecError(
                f"campaign_id: {shown(name)} is not a campaign that goes on or is to come: {hint}"
            )
        return found[name]

    def rate(self, users: pa.Array, campaigns: list[Campaign]) -> Rated:
        """Rate every pair of a user and a campaign, those of a user beside each other."""
        parts = [
            self._rate(users.slice(first, AT_ONCE), campaigns)
            for first in range(0, max(len(users), 1), AT_ONCE)
        ]
        if len(parts) == 1:
            return parts[0]
        offers = _joined(Offers, [one.offers for one in parts])
        return _joined(Rated, parts, offers=offers)

    def _rate(self, users: pa.Array, campaigns: list[Campaign]) -> Rated:
        names = [one.id for one in campaigns]
        fit = self._fitting.fit(users, names, self.at)
        row = np.repeat(np.arange(len(users)), len(names))
        column = np.tile(np.arange(len(names)), len(users))
        with self.query.connect() as con:
            of = self._worth(con, names)
            offers = read_offers(
                con,
                self.query.name,
                users.take(pa.array(row)),
                pa.array(names, pa.string()).take(pa.array(column)),
                np.full(len(row), self.at),
                self.model.half_life,
                fit,
            )
        days = np.array([(one.ends - max(one.starts, self.at)) / DAY for one in campaigns])
        worth = np.array([of[one] for one in names])
        values = self.model.values(offers.x, days[column], worth[column])
        contributions = self.model.scaled(values) * self.weights
        return Rated(offers, values, contributions, self.model.beyond(offers.x))

    def _worth(self, con: duckdb.DuckDBPyConnection, names: list[str]) -> dict[str, float]:
        """What a purchase of the items of each campaign brings; of all events, so kept a day."""

        def read() -> dict[str, float]:
            return worth_of(con, self.query.name, names, np.full(len(names), self.at))

        key = "worth", tuple(names), self.at // DAY
        found: dict[str, float] = self.recommender.kept.some.get(key, read)
        return found

    def columns(self, rated: Rated, rows: Longs) -> dict[str, pa.Array]:
        """The columns of VALUES for some rows of what was rated."""
        values = rated.values[rows]
        of = dict(zip(self.model.objectives, values.T, strict=True))
        ends = {
            f"{one}_{end}": pa.array(column, from_pandas=True)
            for one, both in self.model.ends(values).items()
            for end, column in zip(("low", "high"), both, strict=True)
        }
        parts = np.zeros((len(rows), len(OBJECTIVES)))
        parts[:, : values.shape[1]] = rated.contributions[rows]
        item = rated.offers.item[rows, :SHOWN]
        ids = self.recommender.item_ids.take(pa.array(item[item >= 0]))
        evidence = np.where(rated.beyond[rows], "extrapolated", self.model.evidence)
        unknown = pa.nulls(len(rows), pa.float64())
        return {
            "score": pa.array(rated.score[rows]),
            **{one: pa.array(of[one]) if one in of else unknown for one in OBJECTIVES},
            **{one: ends.get(one, unknown) for one in ENDS},
            "contributions": listed(np.full(len(rows), len(OBJECTIVES)), pa.array(parts.ravel())),
            "items": listed((item >= 0).sum(axis=1), ids),
            "offered": pa.array(rated.offers.member[rows]),
            "evidence": pa.array(evidence, pa.string()),
        }


def campaigns_of(
    session: Session, catalog: str, name: str, at: float | None, given: Any = None
) -> Campaigns:
    """The campaigns of a recommender of a database; arguments are those of Campaigns."""
    return Campaigns(new_query(session, catalog, name), at, given)


def _joined(kind: type[T], parts: list[T], **known: Any) -> T:
    """One of all parts, whose fields are arrays but those that are known."""
    fields = [field.name for field in dataclasses.fields(kind) if field.name not in known]  # type: ignore[arg-type]
    return kind(
        **{name: np.concatenate([getattr(one, name) for one in parts]) for name in fields}, **known
    )
