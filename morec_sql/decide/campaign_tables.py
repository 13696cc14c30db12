"""The user's tables of campaigns: found, checked, and written as views of a recommender."""

from __future__ import annotations

import dataclasses
from typing import Any

import duckdb

from ..errors import MorecError, shown
from ..source.expressions import expression, go_together, is_time
from ..source.source import Source
from ..source.tables import Id, Table, find_table
from ..templates import identifier, sql

# what columns are called where nothing is said
STARTS = ("starts", "starts_at", "start_date", "start_time", "start")
ENDS = ("ends", "ends_at", "end_date", "end_time", "end")
REDEEMED_AT = ("redeemed_at", "redemption_date", "redemption_time", "redeemed", "event_time")


@dataclasses.dataclass(frozen=True)
class CampaignTables:
    """The arguments of create_campaigns that are about tables, as they are stored."""

    campaigns: str
    members: str
    redemptions: str
    coupons: str | None
    campaign_id: str
    starts: str | None
    ends: str | None
    redeemed_at: str | None
    control: str | None
    value: str | None
    discount: str | None

    @staticmethod
    def read(given: dict[str, Any]) -> CampaignTables:
        """Read the arguments that the SQL macro passes, checking each one's type."""
        optional = ("coupons", "starts", "ends", "redeemed_at", "control", "value", "discount")
        found: dict[str, Any] = {}
        for field in dataclasses.fields(CampaignTables):
            one = given.get(field.name)
            if one is None and field.name not in optional:
                raise MorecError(f"{field.name}: a name is needed, not NULL")
            if one is not None and (not isinstance(one, str) or not one.strip()):
                raise MorecError(f"{field.name}: a name or SQL is needed, not {shown(one)}")
            found[field.name] = one
        return CampaignTables(**found)

    def views(
        self,
        con: duckdb.DuckDBPyConnection,
        catalog: str,
        where: str,
        name: str,
        source: Source,
        keys: dict[str, tuple[str, ...]],
    ) -> str:
        """The statements that make the views.

        Args:
            con: where the tables are.
            catalog: the database.
            where: the schema where unqualified names are looked up first.
            name: the recommender.
            source: its tables.
            keys: what columns of user_id and item_id may be called.

        Raises:
            MorecError: a table or a column is not there, or not of a type that goes.
        """

        def table(argument: str) -> Table:
            return find_table(con, argument, getattr(self, argument), catalog, where)

        campaigns, members = table("campaigns"), table("members")
        redemptions = table("redemptions")
        key = self._campaign(campaigns, "campaigns", None)
        starts = _time(campaigns, "starts", self.starts, STARTS)
        ends = _time(campaigns, "ends", self.ends, ENDS)
        redeemed_at = "CAST(NULL AS TIMESTAMP)"
        if self.redeemed_at is not None or redemptions.one_of(REDEEMED_AT):
            redeemed_at = _time(redemptions, "redeemed_at", self.redeemed_at, REDEEMED_AT)
        control = "false"
        if self.control is not None:
            control = expression(con, "control", self.control, members, wanted="predicate")
        known = {"campaign_id", "starts", "ends"}
        others = ", ".join(identifier(one) for one in campaigns.columns if one.lower() in known)
        columns = (
            f"{key.sql} AS campaign_id",
            f"{starts} AS starts",
            f"{ends} AS ends",
            f"_i.* EXCLUDE ({others})" if others else "_i.*",
        )
        usable = (key.usable(key.sql), f"{starts} IS NOT NULL", f"{starts} <= {ends}")
        return sql(
            "decide/campaign_views",
            schema=identifier(name),
            campaigns=campaigns.sql,
            campaign_columns=", ".join(columns),
            campaign_usable=" AND ".join(usable),
            campaign_id=key.sql,
            campaign_order=f"{starts}, {ends}",
            members=members.sql,
            member_campaign=self._campaign(members, "members", key).sql,
            member_user=_id(members, "members", "user_id", keys, source.user_type),
            control=control,
            coupons=self._coupons(table, key, keys, source.item_type),
            redemptions=redemptions.sql,
            redemption_campaign=self._campaign(redemptions, "redemptions", key).sql,
            redemption_user=_id(redemptions, "redemptions", "user_id", keys, source.user_type),
            redeemed_at=redeemed_at,
            **self._purchases(con, source),
        )

    def _campaign(self, table: Table, argument: str, like: Id | None) -> Id:
        """The ids of campaigns in a table, of the type of another one's."""
        column = table.one_of([self.campaign_id])
        if column is None:
            raise MorecError(
                f"{argument}: {table.sql} has no column {self.campaign_id!r}, which campaign_id"
                " names for all tables"
            )
        found = Id.of(argument, column, table, "_i")
        if like is None or found.kind == like.kind:
            return found
        if not go_together(found.kind, like.kind):
            raise MorecError(
                f"{argument}: {column!r} is {found.kind}, but {like.kind} in the campaigns; both"
                " must have one type"
            )
        return Id(column, f"TRY_CAST({found.sql} AS {like.kind})", like.kind)

    def _coupons(self, table: Any, key: Id, keys: dict[str, tuple[str, ...]], kind: str) -> str:
        """SQL of which items each campaign is about."""
        if self.coupons is None:
            return sql("decide/no_coupons", campaign_type=key.kind, item_type=kind)
        coupons = table("coupons")
        return sql(
            "decide/coupons",
            campaign=self._campaign(coupons, "coupons", key).sql,
            item=_id(coupons, "coupons", "item_id", keys, kind),
            coupons=coupons.sql,
        )

    def _purchases(self, con: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
        """What the view of purchases needs: all rows of the events, of which some count."""
        value, discount = (
            expression(con, argument, given, source.events, every_row=True) if given else default
            for argument, given, default in (
                ("value", self.value, "1"), ("discount", self.discount, "0")
            )
        )  # fmt: skip
        return {
            "purchases": source.events_with({"value": value, "discount": discount}),
            "counts": source.usable,
            "purchase_usable": source.identified,
        }


def _id(
    table: Table, argument: str, standard: str, keys: dict[str, tuple[str, ...]], kind: str
) -> str:
    """SQL of ids of users or items in a table, of their type in the recommender."""
    column = table.one_of(keys[standard])
    if column is None:
        names = " or ".join(map(repr, keys[standard]))
        raise MorecError(f"{argument}: {table.sql} has no column {names} for the {standard}")
    found = Id.of(argument, column, table, "_i")
    if not go_together(found.kind, kind):
        raise MorecError(
            f"{argument}: {column!r} is {found.kind}, but the {standard} of the recommender is"
            f" {kind}"
        )
    return found.sql if found.kind == kind else f"TRY_CAST({found.sql} AS {kind})"


def _time(table: Table, argument: str, given: str | None, usual: tuple[str, ...]) -> str:
    """SQL of a time in a table; the whole of a day where it is the date of an end."""
    column = table.column(argument, given) if given is not None else table.one_of(usual)
    if column is None:
        raise MorecError(
            f"{argument}: {table.sql} has none of the columns {', '.join(usual)}; name the one of"
            " the time"
        )
    kind = table.columns[column]
    if not is_time(kind):
        raise MorecError(
            f"{argument}: the column {column!r} is {kind}, not a TIMESTAMP or DATE; a view with"
            f" CAST({column} AS TIMESTAMP) makes one of it"
        )
    written = f"CAST(_i.{identifier(column)} AS TIMESTAMP)"
    whole_day = argument == "ends" and kind == "DATE"
    return f"({written} + INTERVAL 1 DAY)" if whole_day else written
