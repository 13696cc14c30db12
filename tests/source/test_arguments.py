"""Bad arguments of create_recommender."""

from __future__ import annotations

import duckdb
import pytest

from tests.conftest import catalogue_of, create

Connection = duckdb.DuckDBPyConnection
BAD = {
    "missing table": (
        {"events": "'order'"},
        "events: there is no table or view 'order'; did you mean 'orders'",
    ),
    "missing user column": (
        {"user_id": "'custmer_id'"},
        "user_id: .* has no column 'custmer_id'; did you mean 'customer_id'",
    ),
    "missing item column": ({"item_id": "'sku'"}, "item_id: .* has no column 'sku'; there is"),
    "missing items table": ({"items": "'product'"}, "items: .* did you mean 'products'"),
    "missing time": ({"event_time": "'when'"}, "event_time: .* has no column 'when'"),
    "time that is none": (
        {"event_time": "'quantity'"},
        "event_time: the column 'quantity' is BIGINT",
    ),
    "missing text": ({"text": "['titel']"}, "text: .* did you mean 'title'"),
    "text that is none": ({"text": "['price']"}, "text: the column 'price' is .* must be VARCHAR"),
    "weight that is none": (
        {"event_weight": "'CAST(quantity AS VARCHAR)'"},
        "event_weight: .*a number is needed",
    ),
    "weight that does not parse": ({"event_weight": "'quantity +'"}, "event_weight: .*not a SQL"),
    "weight that aggregates": ({"event_weight": "'sum(quantity)'"}, "event_weight: .*aggregates"),
    "unknown column in an objective": (
        {"objectives": "{'margin': 'pric - cost'}"},
        "objectives.margin: .*unknown column 'pric'; did you mean 'price'",
    ),
    "second statement in an objective": (
        {"objectives": "{'margin': 'price; DROP TABLE products'}"},
        "objectives.margin: .*more than one",
    ),
    "text objective": (
        {"objectives": "{'margin': 'title'}"},
        "objectives.margin: .*a number is needed",
    ),
    "objective not built in": (
        {"objectives": "['noveltie']"},
        "objectives: .*did you mean 'novelty'",
    ),
    "relevance redefined": (
        {"objectives": "{'relevance': 'price'}"},
        "objectives: 'relevance' is built in",
    ),
    "no weights": ({"weights": "[0, 0, 0]"}, "weights: all are 0"),
    "too many weights": ({"weights": "[1, 2, 3, 4]"}, "weights: 4 values came, but 3 are needed"),
    "dimensions": ({"dimensions": "0"}, "dimensions: 0 is not a whole number from 2 to 1024"),
    "model": (
        {"model": "'/nowhere'", "text": "['title']"},
        "model: '/nowhere' could not be loaded",
    ),
    "no name": ({"name": "NULL"}, "name: a name is needed, not NULL"),
    "schema taken": ({"name": "'main'"}, "name: the schema 'main' exists already"),
    "name of the database": ({"name": "'memory'"}, "name: the database is called 'memory' too"),
    "no usable event": (
        {"event_weight": "'0 * quantity'"},
        "events: 'orders' has no usable event",
    ),
    "users of another type": (
        {"users": "'products'", "users_user_id": "'title'"},
        "user_id: 'customer_id' is BIGINT in the events but 'title' is VARCHAR in the users",
    ),
    "no table of users": ({"users": "'custmers'"}, "users: "),
    "a column of no table": ({"users_user_id": "'title'"}, "users_user_id: .* users is not given"),
    "ids of two types": ({"items_item_id": "'title'"}, "item_id: .*both must have one type"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_get_one_sentence_and_change_nothing(tables: Connection, case: str) -> None:
    changes, message = BAD[case]
    before = catalogue_of(tables)
    with pytest.raises(duckdb.Error, match=message) as error:
        create(tables, **changes)  # type: ignore[arg-type]
    text = str(error.value).split("Error: ", 2)[2].strip()
    assert "\n" not in text
    assert catalogue_of(tables) == before
