"""next_action and action_effects: whom to contact how, by what contacts were found to change."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..answer.query import Query, new_query
from ..arrays import fingerprint, rows_of, whole
from ..catalog.recommenders import stored_source
from ..errors import MorecError, nearest, shown
from ..registry import Argument, rows_type, sql_function, sql_macro, udf
from ..session import Session
from ..source.checks import number, truth, whole_number
from ..source.expressions import evaluated, is_time
from ..templates import arrow, sql
from ..udfs.decide.actions import Effect, effect
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.orders import FEATURES, Orders, known_at
from ..udfs.history import DAY, Doubles, Longs
from .allocate import of_users
from .campaigns import Campaigns
from .contending import users_of
from .named import Column, named_table
from .user_value import AS_OF, VALUE, day_ahead, orders_of

NOTHING, CAMPAIGN = "nothing", "campaign"
WEEK = 7  # days
HORIZONS = 2.0  # that the events have to span
CONTACTS = Argument(
    "contacts",
    "a table of what was done, 'contacts(user_id, action, sent_at, held_back)', where held_back"
    " says who was drawn and left out: without them nobody knows what an action changes",
)
CONTACTS_OF = "contacts(user_id, action, sent_at, held_back)"
COLUMNS = (
    Column("user", of="users"),
    Column("action"),
    Column("sent_at", "a time is needed", is_time),
    Column("held_back", "whether a user was held back must be BOOLEAN", "BOOLEAN".__eq__),
)
HORIZON = Argument("horizon", "days after a contact whose orders count", "14")
ASKED = (CONTACTS, HORIZON, VALUE, AS_OF)
ACTION = {
    "action": "VARCHAR", "campaign_id": "VARCHAR", "gain": "DOUBLE", "cost": "DOUBLE",
    "net": "DOUBLE", "contacts": "BIGINT", "evidence": "VARCHAR",
}  # fmt: skip
sql_macro(
    "next_action",
    "recommender",
    "What to do next with a user, of the actions that were tried, or nothing: by what an action is"
    " expected to change, less its cost.",
    (
        Argument("user_id", "the user", passed="CAST(user_id AS VARCHAR)"),
        dataclasses.replace(CONTACTS, default="NULL"),
        Argument("costs", "what each action costs, a struct by name; 0 by default", "NULL"),
        Argument(
            "eligible",
            "who may get an action, a struct by name of tables, views or SELECT statements with"
            " a column of users, such as {reminder: 'due_now'}; all by default",
            "NULL",
        ),
        Argument("most_per_week", "contacts that a user gets in seven days at most", "1"),
        Argument(
            "campaigns",
            "whether an offer of a campaign that goes on is an action, by its uplift: needs"
            " create_campaigns with a control group",
            "false",
        ),
        HORIZON,
        VALUE,
        AS_OF,
    ),
    {
        "action": f"its name in contacts, {CAMPAIGN}, or {NOTHING}",
        "campaign_id": "of a campaign",
        "gain": "what it is expected to bring within the horizon beyond what comes without it",
        "cost": "of it",
        "net": "gain less cost",
        "contacts": "in the last seven days",
        "evidence": "randomised, observational (who was held back differed before by more than"
        " chance), or extrapolated; of nothing why: no action brings more than it costs, contacted"
        " as often as allowed, or no contacts are given",
    },
    "catalog/rows",
    udf="morec_next_action",
)


@dataclasses.dataclass(frozen=True)
class Learnt:
    """What contacts change, by action, None where too few tell.

    users are who ordered before the day `now`, orders theirs; counts are how many got each action
    and were held back from it, late the contacts of the last seven days, by user.
    """

    users: pa.Array
    orders: Orders
    now: float
    horizon: float
    effects: dict[str, Effect | None]
    counts: dict[str, tuple[int, int]]
    late: dict[str, int]

    @functools.cached_property
    def features(self) -> Doubles:
        """Of each of the users, and of someone who never ordered as the last."""
        out = np.zeros((len(self.users) + 1, len(FEATURES)))
        known = known_at(self.orders, self.now, self.horizon)
        out[known.customer] = known.features
        return out


UNTRIED = Learnt(
    pa.array([], pa.string()), Orders(*(np.zeros(0, kind) for kind in (np.int64, float, float))),
    0.0, 1.0, {}, {}, {},
)  # fmt: skip


def learn(session: Session, catalog: str, query: Query, given: dict[str, Any]) -> Learnt:
    """What contacts change, by the arguments ASKED; kept while the data are as they were.

    Raises:
        MorecError: an argument is wrong, or the events span too little.
    """
    horizon = number("horizon", given["horizon"], 1)
    now, events = day_ahead(query, given["as_of"], horizon, HORIZONS)
    table = _contacts(session, catalog, query, given["contacts"])
    # by what is in it: who was held back may be told later
    known = fingerprint(table)
    key = "actions", horizon, given["value"], given["contacts"], now, events, known

    def work() -> Learnt:
        users, orders = orders_of(session, catalog, query, given["value"], now * DAY)
        return _learnt(table, users, orders, now, horizon)

    found: Learnt = query.recommender.kept.foretold.get(key, work)
    return found


def _contacts(session: Session, catalog: str, query: Query, given: Any) -> pa.Table:
    """The contacts: user, action, day, and whether the user was held back."""
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, query.name)
        parts = named_table(con, catalog, source, "contacts", given, CONTACTS_OF, COLUMNS)
        statement = sql("decide/contacts", user_type=source.user_type, **parts)
        with evaluated("contacts", str(given)):
            found = arrow(con, statement)
    if not len(found):
        raise MorecError(f"contacts: {shown(given)} has no row with a user, an action and a time")
    for name in (NOTHING, CAMPAIGN):
        if pc.any(pc.equal(found.column("action"), name)).as_py():
            raise MorecError(
                f"contacts: an action is called {name!r}, which has a meaning of its own"
            )
    return found


def _learnt(table: pa.Table, users: pa.Array, orders: Orders, now: float, horizon: float) -> Learnt:
    """What contacts change, of those whose horizon is over."""
    number_of = pc.index_in(whole(table.column("user_id")), value_set=users)
    customer: Longs = number_of.fill_null(len(users)).to_numpy().astype(np.int64)
    # who never ordered is somebody, too
    _, person = np.unique(
        whole(table.column("user_id")).to_numpy(zero_copy_only=False), return_inverse=True
    )
    day = table.column("day").to_numpy()
    got = ~table.column("held_back").to_numpy(zero_copy_only=False).astype(bool)
    actions = np.array(table.column("action").to_pylist())
    x = np.zeros((len(table), len(FEATURES)))
    y = np.zeros(len(table))
    over = day + horizon <= now
    for moment in np.unique(day[over]):
        rows = np.flatnonzero(day == moment)
        some = np.zeros(len(users) + 1, bool)
        some[customer[rows]] = True
        kept = some[orders.customer]
        mine = Orders(orders.customer[kept], orders.day[kept], orders.value[kept])
        known = known_at(mine, moment, horizon)
        features = np.zeros((len(users) + 1, x.shape[1]))
        features[known.customer] = known.features
        x[rows] = features[customer[rows]]
        y[rows] = mine.after(moment, horizon, len(users) + 1)[1][customer[rows]]
    effects, counts = {}, {}
    for action in np.unique(actions):
        rows = np.flatnonzero((actions == action) & over)
        effects[str(action)] = effect(x[rows], got[rows], y[rows], day[rows], person[rows])
        counts[str(action)] = int(got[rows].sum()), int((~got[rows]).sum())
    late = got & (day >= now - WEEK) & (day < now)
    names = whole(table.column("user_id")).filter(pa.array(late))
    often = {one["values"]: one["counts"] for one in names.value_counts().to_pylist()}
    return Learnt(users, orders, now, horizon, effects, counts, often)


@udf("morec_next_action", ["VARCHAR"] * 3, rows_type(ACTION))
def next_action(session: Session, *columns: pa.Array) -> pa.Array:
    """The action for the user of each row, of those that ask alike together."""
    return of_users(session, columns, _actions)


def _actions(
    session: Session, catalog: str, name: str, given: dict[str, Any], users: pa.Array
) -> tuple[pa.Array, Longs]:
    """The next action of each of users who ask alike, and their places."""
    query = new_query(session, catalog, name)
    learnt = UNTRIED if given["contacts"] is None else learn(session, catalog, query, given)
    most = whole_number("most_per_week", given["most_per_week"], 0)
    names = [*learnt.effects, *([CAMPAIGN] if truth("campaigns", given["campaigns"]) else [])]
    # where there is none, a column that gains less than nothing stands for them
    names = names or [NOTHING]
    costs = _by_name("costs", given["costs"], names)
    eligible = _by_name("eligible", given["eligible"], names)
    place = pc.index_in(users, value_set=learnt.users).fill_null(len(learnt.users)).to_numpy()
    x = learnt.features[place]
    gain = np.full((len(users), len(names)), -np.inf)
    evidence = np.full((len(users), len(names)), "randomised", object)
    campaign = np.full(len(users), None, object)
    for column, name in enumerate(names):
        known = learnt.effects.get(name)
        if name == CAMPAIGN:
            campaign, gain[:, column], evidence[:, column] = _offers(query, given["as_of"], users)
        elif known is not None:
            gain[:, column] = known.expected(x)
            if not known.random:
                evidence[:, column] = "observational"
            evidence[known.response.beyond(x), column] = "extrapolated"
        if name in eligible:
            allowed = pc.is_in(users, users_of(query, eligible[name]))
            gain[~allowed.to_numpy(zero_copy_only=False), column] = -np.inf
    cost = np.array([number(f"costs.{name}", costs.get(name, 0), 0) for name in names])
    net = gain - cost
    rows, best = np.arange(len(users)), net.argmax(axis=1)
    contacts = np.array([learnt.late.get(user, 0) for user in users.to_pylist()], np.int64)
    full = contacts >= most
    none = full | ~(net[rows, best] > 0)
    worth = "no action brings more than it costs" if names != [NOTHING] else "no contacts are given"
    why = np.where(full, "contacted as often as allowed", worth)
    chosen = np.where(none, NOTHING, np.array(names)[best])
    found = rows_of(
        {
            "action": pa.array(chosen, pa.string()),
            "campaign_id": pa.array(campaign, pa.string(), mask=chosen != CAMPAIGN),
            "gain": np.where(none, 0.0, gain[rows, best]),
            "cost": np.where(none, 0.0, cost[best]),
            "net": np.where(none, 0.0, net[rows, best]),
            "contacts": contacts,
            "evidence": pa.array(np.where(none, why, evidence[rows, best]), pa.string()),
        }
    )
    return found, rows


def _by_name(argument: str, given: Any, names: list[str]) -> dict[str, Any]:
    """A struct by the names of actions."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise MorecError(f"{argument}: a struct by action is needed, not {shown(given)}")
    for name in given:
        if name not in names:
            raise MorecError(f"{argument}: unknown action {name!r}; {nearest(name, names)}")
    return given


def _offers(query: Query, as_of: float | None, users: pa.Array) -> tuple[Any, Doubles, Any]:
    """The campaign with the largest uplift for each user, that uplift, and the evidence of it."""
    campaigns = Campaigns(query, as_of)
    if "uplift" not in campaigns.model.objectives:
        raise MorecError(
            "campaigns: no control group tells what offers change; create_campaigns(..., control =>"
            " ...) reads one"
        )
    there = campaigns.open()
    if not there:
        nothing = np.full(len(users), None, object)
        return nothing, np.full(len(users), -np.inf), nothing
    rated = campaigns.rate(users, there)
    uplift = rated.values[:, campaigns.model.objectives.index("uplift")]
    uplift = np.where(rated.offers.member, -np.inf, uplift).reshape(len(users), -1)
    best = uplift.argmax(axis=1)
    rows = np.arange(len(users))
    evidence = np.where(rated.beyond, "extrapolated", campaigns.model.evidence)
    ids = np.array([one.id for one in there], object)
    return ids[best], uplift[rows, best], evidence.reshape(len(users), -1)[rows, best]


@sql_function(
    of="recommender",
    returns={"action": "VARCHAR", "contacted": "BIGINT", "held_back": "BIGINT",
             **dict.fromkeys(("effect", "low", "high", "used", "p"), "DOUBLE"),
             "by_user": "BOOLEAN", "evidence": "VARCHAR"},
    arguments=ASKED,
    result={
        "action": "its name in contacts",
        "contacted": "contacts whose horizon is over",
        "held_back": "the same, held back",
        "effect": "what a contact changes on average; NULL where too few tell",
        "low": "90 % interval",
        "high": "the other end",
        "used": "the effect as next_action counts on it: drawn towards 0 as far as it is uncertain",
        "p": "how likely drawn groups differ as much before the contacts",
        "by_user": "whether it is told apart by what users ordered so far",
        "evidence": "randomised, observational or too few",
    },
    template="catalog/rows",
)  # fmt: skip
def action_effects(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """What contacts change in what users order, by action, from who was held back."""
    learnt = learn(session, catalog, new_query(session, catalog, name), given)
    rows: list[tuple[Any, ...]] = []
    for action, found in learnt.effects.items():
        counts = learnt.counts[action]
        if found is None:
            rows.append((action, *counts, None, None, None, None, None, None, "too few"))
            continue
        spread = LEVEL * found.error
        evidence = "randomised" if found.random else "observational"
        ends = found.mean - spread, found.mean + spread
        rows.append(
            (action, *counts, found.mean, *ends, found.sure, found.p, found.by_user, evidence)
        )
    return rows
