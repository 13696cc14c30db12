"""create_campaigns and refresh_campaigns: what was offered to whom, and what is learnt from it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections import Counter
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..arrays import whole
from ..catalog.recommenders import check_writable, recommender_of, stored_arguments
from ..catalog.versions import in_use, put_to_use
from ..errors import MorecError
from ..measure.trial import Past
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Progress, Stage, Stages
from ..registry import Argument, sql_function
from ..session import Session
from ..source.arguments import Arguments
from ..source.checks import truth
from ..source.source import resolve
from ..templates import arrow, first_row, identifier, sql, transaction
from ..train.training import Trained
from ..train.windows import HALF_LIVES, WINDOW
from ..udfs.history import DAY, Doubles
from .campaign_fit import Examples, Learnt, learn
from .campaign_tables import CampaignTables
from .offers import AT_ONCE, Fit, Fitting, PastEvents, read_offers, worth_of

HALF_LIFE = HALF_LIVES[1]  # of what was before an offer, as a share of the time that events span
FEWEST = 20  # who took part, below which a stage says that they are few
FIRST = 1 / 3  # share of the campaigns, the earliest, that only the history of later ones is from


@dataclasses.dataclass(frozen=True)
class Known:
    """The campaigns that ended, the earliest first: ids as texts, starts and ends in seconds.

    span is that of all events, in seconds.
    """

    ids: list[str]
    starts: Doubles
    ends: Doubles
    span: float

    def __len__(self) -> int:
        return len(self.ids)


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(
        Argument("name", "the recommender"),
        Argument("campaigns", "the table or view of campaigns, with when they start and end"),
        Argument("members", "that of whom each was offered to: a campaign and a user"),
        Argument("redemptions", "that of who took part: a campaign and a user"),
        Argument(
            "coupons",
            "that of which items each is about: a campaign and an item; all items without it",
            "NULL",
        ),
        Argument("campaign_id", "their column of the campaign, in all of them", "'campaign_id'"),
        Argument("starts", "column of the campaigns, such as start_date by default", "NULL"),
        Argument("ends", "column of the campaigns, such as end_date by default", "NULL"),
        Argument(
            "redeemed_at",
            "column of the redemptions, such as redemption_date by default; without one it was when"
            " the campaign ended",
            "NULL",
        ),
        Argument(
            "control",
            "a predicate over the members: who was kept from the campaign, to compare with",
            "NULL",
        ),
        Argument(
            "value",
            "SQL over the events: what a purchase brings, such as 'sales_value - cost'; 1 by"
            " default",
            "NULL",
        ),
        Argument(
            "discount",
            "SQL over the events: above 0 for a purchase at a discount, such as by a coupon",
            "NULL",
        ),
        Argument("replace", "whether to replace the campaigns that there are", "false"),
    ),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def create_campaigns(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Reads the campaigns of a shop, learns what became of them, and how well that is foretold."""
    tables = CampaignTables.read(given)
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        schema = identifier(name)
        if not truth("replace", given["replace"]):
            with contextlib.suppress(duckdb.CatalogException):
                con.execute(f"FROM {schema}.campaign_settings").fetchall()
                raise MorecError(
                    f"campaigns: {name!r} has some already; pass replace => true, or call"
                    f" refresh_campaigns('{name}')"
                )
    return _create(session, catalog, name, tables)


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(Argument("name", "the recommender"),),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def refresh_campaigns(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Learns anew from the campaigns of a recommender, as its tables hold them now."""
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        try:
            row = first_row(con, f"SELECT arguments FROM {identifier(name)}.campaign_settings")
        except duckdb.CatalogException:
            row = None
    if row is None:
        raise MorecError(f"name: {name!r} has no campaigns yet; create_campaigns reads them")
    return _create(session, catalog, name, CampaignTables(**json.loads(row[0])))


def _create(session: Session, catalog: str, name: str, tables: CampaignTables) -> list[Stage]:
    """Learn from campaigns and write what was learnt, all in one transaction."""
    with session.cursor(catalog) as con:
        check_writable(con, catalog, name)
        arguments, where = stored_arguments(con, catalog, name)
        if arguments.event_time is None:
            raise MorecError(
                f"name: {name!r} has no event_time, so nothing is before or after an offer"
            )
        # the training has a bar of its own
        stages = Stages(Progress())
        with transaction(con):
            con.execute(_views(con, catalog, where, name, arguments, tables))
            with stages.stage("read") as done:
                known = _known(con, name, stages)
                first = int(len(known) * FIRST)
                done(len(known))
            with stages.stage("train") as done:
                past = session.shared(Past)
                with past.lock:
                    cut = _moment(known.starts[first])
                    trained = past.get(con, session, catalog, name, cut)
                    examples = _examples(con, name, trained, known, first)
                done(len(examples.user))
            with stages.stage("fit") as done:
                learnt = learn(examples, arguments.seed)
                done(len(examples.user))
            _report(stages, learnt, examples)
            _write(con, catalog, name, tables, learnt)
    return stages.rows


def _views(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    where: str,
    name: str,
    arguments: Arguments,
    tables: CampaignTables,
) -> str:
    """The statements that make the views of the campaigns."""
    source = resolve(con, catalog, where, arguments)
    keys = {
        standard: tuple(dict.fromkeys(filter(None, (own, given, standard))))
        for standard, own, given in (
            ("user_id", arguments.users_user_id, arguments.user_id),
            ("item_id", arguments.items_item_id, arguments.item_id),
        )
    }
    return tables.views(con, catalog, where, name, source, keys)


def _known(con: duckdb.DuckDBPyConnection, name: str, stages: Stages) -> Known:
    """The campaigns that there is something to learn from.

    Raises:
        MorecError: there are none, or nobody took part in any.
    """
    query = sql("decide/campaigns_known", schema=identifier(name))
    rows = con.execute(query).fetchall()
    if not rows:
        raise MorecError("campaigns: there is none with an id, a start, and an end after that")
    first, last = rows[0][5], rows[0][6]
    if first is None:
        raise MorecError(f"events: {name!r} has no event")
    enough = first + WINDOW * (last - first)
    kept, left_out = [], Counter[str]()
    for row in rows:
        _, starts, ends, members, *_ = row
        if ends > last:
            left_out["not ended by the last event"] += 1
        elif starts < enough:
            left_out["before there were enough events"] += 1
        elif not members:
            left_out["without a member"] += 1
        else:
            kept.append(row)
    for why, count in left_out.items():
        stages.count(f"campaigns: {why}", count)
    if not kept:
        said = ", ".join(f"{count} {why}" for why, count in left_out.items())
        raise MorecError(f"campaigns: there is none to learn from: {said}")
    if not any(row[4] for row in kept):
        raise MorecError(
            f"redemptions: nobody took part in any of the {len(kept)} campaigns that ended, so"
            " there is nothing to learn from"
        )
    ids, starts, ends, *_ = zip(*kept, strict=True)
    return Known(list(ids), np.array(starts), np.array(ends), max(last - first, DAY))


def _moment(seconds: float) -> str:
    """A second of the epoch as the text of a timestamp."""
    return str(np.datetime64(int(seconds * 1e6), "us")).replace("T", " ")


def _examples(
    con: duckdb.DuckDBPyConnection, name: str, trained: Trained, known: Known, first: int
) -> Examples:
    """The offers of all campaigns but the first ones, by a training before them."""
    later = Known(known.ids[first:], known.starts[first:], known.ends[first:], known.span)
    half_life = known.span * HALF_LIFE
    finished = {"campaign_id": later.ids, "place": np.arange(len(later))}
    con.register("morec_finished", pa.table(finished))
    offers = arrow(con, sql("decide/campaign_offers", schema=identifier(name)))
    con.unregister("morec_finished")
    user, campaign = whole(offers.column("user_id")), whole(offers.column("campaign_id"))
    place = offers.column("place").to_numpy().astype(np.int64)
    names = sorted(set(user.to_pylist()))
    at = later.starts[place]
    con.register(
        "morec_numbered", arrow(trained.con, "SELECT item_id, item_index FROM morec_items")
    )
    events = PastEvents(trained.con, name, names, trained.clock)
    fitting = Fitting(
        lambda: contextlib.nullcontext(con), name, trained.catalogue, "morec_numbered",
        events.history, trained.some,
    )  # fmt: skip
    found = []
    for number, one in enumerate(later.ids):
        mine = user.filter(pa.array(place == number))
        for row in range(0, len(mine), AT_ONCE):
            found.append(fitting.fit(mine.slice(row, AT_ONCE), [one], later.starts[number]))
    fit = Fit(
        np.concatenate([one.relevance for one in found]),
        np.concatenate([one.item for one in found]),
    )
    read = read_offers(con, name, user, campaign, at, half_life, fit)
    con.unregister("morec_numbered")
    worth = worth_of(con, name, later.ids, later.starts)
    of_users = {one: number for number, one in enumerate(names)}
    return Examples(
        offers=read,
        campaign=place,
        user=np.array([of_users[one] for one in user.to_pylist()]),
        days=(later.ends - later.starts)[place] / DAY,
        worth=np.array([worth[one] for one in later.ids])[place],
        control=offers.column("control").to_numpy(),
        later=place >= len(later) - max(1, int(len(known) * FIRST)),
        half_life=half_life,
    )


def _report(stages: Stages, learnt: Learnt, examples: Examples) -> None:
    """Say what each outcome goes by, and what casts doubt on it."""
    took = int(examples.offers.took[~examples.control].sum())
    for outcome, method in learnt.chosen.items():
        stages.rows.append((f"{outcome}: by {method}", len(examples.user), None))
    if took < FEWEST:
        stages.rows.append(("participation: few took part", took, None))
    kept = int(examples.control.sum())
    if learnt.random is not None:
        said = "may have been drawn" if learnt.random else "is not random, adjusted for"
        stages.rows.append((f"control group: {said} (campaign_balance)", kept, None))
    elif kept:
        stages.rows.append(("control group: too few for uplift", kept, None))


def _write(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str, tables: CampaignTables, learnt: Learnt
) -> None:
    """Write the tables of what was learnt, and make the macros anew, whose ids have a type now."""
    settings = {
        "arguments": [json.dumps(dataclasses.asdict(tables))],
        "chosen": [json.dumps(learnt.chosen)],
        "evidence": [learnt.model.evidence],
        "half_life": [learnt.model.half_life],
    }
    new = {
        "settings": pa.table(settings),
        "model": learnt.model.rows(),
        "objectives": learnt.model.objective_rows(),
        "quality": learnt.quality,
        "balance": learnt.balance,
        "uplift": learnt.uplift,
    }
    for table, rows in new.items():
        con.register(f"morec_new_{table}", rows)
    schema = identifier(name)
    con.execute(sql("decide/campaign_tables", schema=schema))
    for table in new:
        con.unregister(f"morec_new_{table}")
    con.execute(sql("decide/campaign_comments", schema=schema))
    number = in_use(con, name)
    assert number is not None
    put_to_use(con, catalog, name, number)
