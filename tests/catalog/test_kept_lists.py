"""keep_lists: the lists of users as a table, which refreshes make anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import morec_sql

Connection = duckdb.DuckDBPyConnection
KEPT = "SELECT user_id, rank, item_id, round(score, 5), personal FROM shop.lists ORDER BY ALL"


@pytest.fixture
def tables(small_file: Path, tmp_path: Path) -> Iterator[Connection]:
    """The small shop with the recommender `shop`, to be changed."""
    with morec_sql.connect(shutil.copy(small_file, tmp_path / "a.duckdb")) as con:
        yield con


def live(
    con: Connection, users: str = "SELECT DISTINCT customer_id FROM orders", more: str = ""
) -> Any:
    """What recommend gives now for the users of a query."""
    return con.execute(
        "SELECT u.customer_id, r.rank, r.item_id, round(r.score, 5), r.personal"
        f" FROM ({users}) AS u, shop.recommend(u.customer_id{more}) AS r ORDER BY ALL"
    ).fetchall()


def kept(con: Connection) -> Any:
    return con.execute(KEPT).fetchall()


def test_refreshes_make_them_anew(tables: Connection) -> None:
    assert tables.execute("FROM keep_lists('SHOP', k => 3)").fetchall()[0][:2] == ("lists", 180)
    first = kept(tables)
    assert first == live(tables, more=", k => 3")
    tables.execute("INSERT INTO orders SELECT 99, 12, '2024-03-30', 1 FROM range(3)")
    assert kept(tables) == first  # a table stands until something is refreshed
    for call in (
        "refresh_objectives('shop')",
        "add_objective('shop', 'cheap', '-price', weight => 0.5)",
        "refresh_items('shop')",
        "refresh_recommender('shop')",
        "use_version('shop', 1)",
    ):
        rows = tables.execute(f"FROM {call}").fetchall()
        assert [row[:2] for row in rows if row[0] == "lists"] == [("lists", 183)], call
        assert kept(tables) == live(tables, more=", k => 3"), call
    columns = tables.execute("DESCRIBE shop.lists").fetchall()
    assert [column[1] for column in columns[:3]] == ["BIGINT", "INTEGER", "BIGINT"]


def test_they_are_asked_for_as_recommend_is(tables: Connection) -> None:
    some = "SELECT customer_id FROM orders WHERE customer_id < 5"
    call = (
        "weights => {novelty: 1}, k => 2, filter => 'category = ''kitchen''', exclude_seen => false"
    )
    tables.execute(f"FROM keep_lists('shop', {call}, users => '{some}')").fetchall()
    wanted = live(tables, some.replace("SELECT", "SELECT DISTINCT"), ", " + call)
    assert kept(tables) == wanted
    tables.execute("FROM refresh_objectives('shop')")
    assert kept(tables) == wanted
    # the same users by a view, weights by place
    tables.execute(f"CREATE VIEW few AS {some}")
    tables.execute("FROM keep_lists('shop', weights => [0, 0, 0, 1], k => 2, users => 'few')")
    assert kept(tables) == live(
        tables, some.replace("SELECT", "SELECT DISTINCT"), ", weights => {novelty: 1}, k => 2"
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("'shopp'", "name: there is no recommender 'shopp'"),
        ("'shop', k => 0", "k: .*from 1"),
        ("'shop', weights => {marginn: 1}", "weights: .*marginn"),
        ("'shop', filter => 'catgory = 1'", "filter: .*catgory"),
        ("'shop', exclude_seen => 'x'", "exclude_seen: x is neither"),
        ("'shop', users => 'nobody'", "users: .*nobody"),
        ("'shop', users => 'SELECT ''x'' AS u'", "users: .* names no user"),
        ("'shop', users => 'SELECT 1 AS a, 2 AS b'", "users: .*several columns"),
    ],
)
def test_what_is_wrong_leaves_them_as_they_were(tables: Connection, call: str, said: str) -> None:
    tables.execute("FROM keep_lists('shop', k => 1)")
    before = kept(tables)
    with pytest.raises(duckdb.Error, match=said) as caught:
        tables.execute(f"FROM keep_lists({call})").fetchall()
    assert str(caught.value).count("Error") <= 2
    assert kept(tables) == before


def test_a_refresh_that_they_cannot_follow_says_so(tables: Connection) -> None:
    tables.execute("FROM keep_lists('shop', k => 1, filter => 'same = ''a''')")
    before = kept(tables)
    tables.execute("ALTER TABLE products DROP COLUMN same")
    stages = tables.execute("SELECT stage FROM refresh_recommender('shop')").fetchall()
    assert any(
        "lists stay as they were: filter: " in stage and "same" in stage for (stage,) in stages
    )
    assert kept(tables) == before


def test_they_end_where_the_table_is_dropped(tables: Connection) -> None:
    tables.execute("FROM keep_lists('shop', k => 1)")
    tables.execute("DROP TABLE shop.lists")
    assert "lists" not in {
        row[0] for row in tables.execute("FROM refresh_objectives('shop')").fetchall()
    }
    # one of the user's own is never written, and stops what would
    tables.execute("DROP TABLE shop.lists_made; CREATE TABLE shop.lists AS SELECT 1 AS mine")
    with pytest.raises(duckdb.Error, match="'lists', which keep_lists did not make"):
        tables.execute("FROM keep_lists('shop')").fetchall()
    tables.execute("FROM refresh_objectives('shop')")
    assert tables.execute("FROM shop.lists").fetchall() == [(1,)]
    with pytest.raises(duckdb.Error, match="table 'lists', which is not the recommender's"):
        tables.execute("FROM drop_recommender('shop')").fetchall()
    tables.execute("DROP TABLE shop.lists")
    tables.execute("FROM keep_lists('shop', k => 1)")
    tables.execute("FROM drop_recommender('shop')")
    assert not tables.execute("FROM duckdb_schemas() WHERE schema_name = 'shop'").fetchall()


def test_anybody_reads_and_exports_them(tables: Connection, tmp_path: Path) -> None:
    tables.execute("FROM keep_lists('shop', k => 2)")
    wanted = kept(tables)
    tables.close()
    plain = duckdb.connect(tmp_path / "a.duckdb")
    assert kept(plain) == wanted
    plain.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    plain.close()
    with morec_sql.connect(tmp_path / "b.duckdb") as other:
        other.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
        assert kept(other) == wanted
        stages = other.execute("SELECT stage FROM refresh_objectives('shop')").fetchall()
        assert ("lists",) in stages
        assert kept(other) == wanted
