"""recommend(..., reasons => true): a sentence with every row."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.conftest import CREATE_SMALL

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def reasons(con: Connection, call: str) -> dict[int, str]:
    return dict(rows(con, f"SELECT item_id, reason FROM shop.{call}"))


def test_only_who_asks_gets_reasons(small: Connection) -> None:
    assert set(reasons(small, "recommend(3)").values()) == {None}
    with_reasons = rows(small, "SELECT * EXCLUDE (reason) FROM shop.recommend(3, reasons => true)")
    assert with_reasons == rows(small, "SELECT * EXCLUDE (reason) FROM shop.recommend(3)")


def test_the_sentence_is_of_the_largest_part(small: Connection) -> None:
    known = {row[0] for row in rows(small, "SELECT product_id FROM orders WHERE customer_id = 3")}
    alone = "weights => {relevance: 1}, exclude_seen => false, k => 22"
    said = reasons(small, f"recommend(3, {alone}, reasons => true)")
    for item, sentence in said.items():
        if item in known:
            assert sentence == "You have taken it before."
    asked = "weights => [1, 0, 0, 0], exclude_seen => true"
    fresh = reasons(small, f"recommend(3, {asked}, reasons => true)")
    for item, sentence in fresh.items():
        parts = rows(small, f"FROM shop.explain(3, {item}, {asked}, most => 50)")
        likeness = [part for part in parts if part[0] in ("history item", "content")]
        popularity = sum(part[2] for part in parts if part[0] == "popularity")
        if popularity >= sum(part[2] for part in likeness):
            assert sentence == "Popular with others."
            continue
        kind, name = max(likeness, key=lambda part: part[2])[:2]
        title = rows(small, f"SELECT title FROM products WHERE product_id = {name}")[0][0]
        said = {"history item": "Goes with", "content": "Similar to"}[kind]
        assert sentence == f"{said} {title}."
    dear = reasons(small, "recommend(3, weights => {margin: 1}, k => 2, reasons => true)")
    assert set(dear.values()) == {"Stands out in margin."}
    nobody = reasons(small, "recommend(-1, weights => {relevance: 1}, k => 3, reasons => true)")
    assert set(nobody.values()) == {"Popular with others."}


def test_in_joins_and_other_lists(small: Connection) -> None:
    each = rows(
        small,
        "SELECT u.i, r.item_id, r.reason FROM range(40) AS u(i),"
        " shop.recommend(u.i, reasons => true) AS r",
    )
    assert len(each) == 400
    for user in (4, 17):
        alone = reasons(small, f"recommend({user}, reasons => true)")
        assert {row[1]: row[2] for row in each if row[0] == user} == alone
    basket = reasons(
        small, "complete_basket([3], weights => {relevance: 1}, k => 3, reasons => true)"
    )
    assert all(basket.values())
    ranked = reasons(small, "rank_items(3, [12, 21], weights => {margin: 1}, reasons => true)")
    assert ranked[21] == "Stands out in margin."


def test_templates_are_the_users(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    call = "recommend(3, weights => {margin: 1}, k => 1, reasons => "
    assert reasons(tables, f"{call}'de')") == {21: "Besonders bei margin."}
    tables.execute(
        "INSERT INTO shop.reason_templates VALUES ('fr', 'objective', 'Remarquable : {name}'),"
        " ('en', 'objective margin', 'We like to sell it.')"
    )
    assert reasons(tables, f"{call}'fr')") == {21: "Remarquable : margin"}
    assert reasons(tables, f"{call}true)") == {21: "We like to sell it."}
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    assert reasons(tables, f"{call}true)") == {21: "We like to sell it."}
    # what has no template is not said
    nothing = "recommend(-1, weights => {relevance: 1}, k => 1, reasons => 'fr')"
    assert set(reasons(tables, nothing).values()) == {None}
    with pytest.raises(
        duckdb.Error, match="reasons: 'xx' is neither true nor false nor a language"
    ):
        reasons(tables, f"{call}'xx')")
    tables.execute("FROM drop_recommender('shop')").fetchall()
