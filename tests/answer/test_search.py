"""search: by words, by meaning, for a user."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def test_words_find_what_has_them(small: Connection) -> None:
    found = rows(small, "FROM shop.search('Téa 3')")
    assert [row[0] for row in found] == list(range(1, 11))
    assert found[0][1] == 3
    assert found[0][3] == 1
    by_words = {row[1] for row in rows(small, "FROM shop.search('tea', k => 22)") if row[3]}
    assert by_words == set(range(10))


def test_meaning_finds_what_has_other_words(small: Connection) -> None:
    found = rows(small, "FROM shop.search('something warm to drink', k => 5)")
    assert all(row[1] < 10 for row in found)
    assert [row[3] for row in found] == [None] * 5
    assert [row[4] for row in found] == [1, 2, 3, 4, 5]
    # no item has the words, and the first is the best by meaning
    assert found[0][2] == pytest.approx(0.5)
    assert all(row[5] is None for row in found)


def test_the_scores_are_averaged(small: Connection) -> None:
    found = rows(small, "FROM shop.search('screwdriver 12', user_id => 3, k => 20)")
    # first in all three would be 1; the best by words and meaning has two thirds at least
    best = next(row for row in found if row[3] == row[4] == 1)
    assert 2 / 3 - 1e-6 <= best[2] <= 1 + 1e-6
    assert all(0 <= row[2] <= 1 + 1e-6 for row in found)
    # without a user the item that is first by words and by meaning has all of it
    alone = rows(small, "FROM shop.search('screwdriver 12', k => 20)")
    assert (alone[0][1], alone[0][2]) == (12, pytest.approx(1, abs=1e-6))
    assert [row[2] for row in found] == sorted((row[2] for row in found), reverse=True)
    by_user = sorted((row[5], row[1]) for row in found)
    ranked = rows(
        small,
        "SELECT item_id FROM (SELECT item_id, shop.score(3, item_id) AS score"
        " FROM shop.item_vectors WHERE text_id IS NOT NULL) ORDER BY score DESC",
    )
    assert [item for _, item in by_user] == [item for (item,) in ranked]


def test_a_user_makes_it_personal(small: Connection) -> None:
    # words and meaning cannot tell teas from screwdrivers here; the user does
    odd, even = (
        rows(small, f"SELECT item_id FROM shop.search('a good thing', user_id => {user}, k => 6)")
        for user in (3, 4)
    )
    assert sum(item >= 10 for (item,) in odd) > sum(item >= 10 for (item,) in even)
    unknown = rows(small, "SELECT DISTINCT by_user FROM shop.search('tea', user_id => -1)")
    assert unknown == [(None,)]


def test_a_filter_holds_and_items_without_text_are_not_found(small: Connection) -> None:
    found = rows(small, "SELECT item_id FROM shop.search('tea', filter => 'price > 8', k => 22)")
    assert {item for (item,) in found} == set(range(8, 20))


def test_bm25_is_its_formula(small: Connection) -> None:
    from morec_sql.udfs.ranking.words import LENGTH, SATURATION, Words

    texts = ["green tea", "black tea tea", "Crème brûlée", "a long text about green gardens"]
    words = [text.split() for text in ("green tea", "black tea tea", "creme brulee")]
    words.append(["a", "long", "text", "about", "green", "gardens"])
    mean = sum(map(len, words)) / len(words)

    def plain(query: list[str], text: list[str]) -> float:
        out = 0.0
        for word in set(query):
            having = sum(word in other for other in words)
            often = text.count(word)
            held = SATURATION * (1 - LENGTH + LENGTH * len(text) / mean)
            rarity = math.log(1 + (len(words) - having + 0.5) / (having + 0.5))
            out += rarity * often * (SATURATION + 1) / (often + held)
        return out

    index = Words(texts)
    for query in ("green tea", "CREME", "tea unknown", "unknown"):
        expected = [plain(query.lower().split(), text) for text in words]
        assert index.scores(query).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("words", ["''", "'  '", "NULL"])
def test_nothing_to_look_for_gets_a_sentence(small: Connection, words: str) -> None:
    with pytest.raises(duckdb.Error, match="words: a text to look for is needed"):
        rows(small, f"FROM shop.search({words})")


def test_odd_words_are_words(small: Connection) -> None:
    assert len(rows(small, "FROM shop.search('!!! \"''; DROP TABLE x')")) == 10
    assert len(rows(small, "FROM shop.search('🍵')")) == 10
    assert rows(small, "FROM shop.search('tea', filter => 'price < 0')") == []


def test_without_texts_there_is_nothing_to_search(tables: Connection) -> None:
    create(tables, text=None)
    with pytest.raises(duckdb.Error, match="'shop' was made without text"):
        rows(tables, "FROM shop.search('tea')")
