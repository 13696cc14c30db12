"""The packing of events in SQL, and the unpacking of them."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.answer.history import halves, unpacked
from morec_sql.catalog.versions import history_parts
from morec_sql.templates import arrow, sql


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**31 - 1),
            st.none() | st.integers(-(10**17), 10**17),
            st.floats(1e-9, 1e9),
        ),
        max_size=20,
        unique_by=lambda event: event[0],
    )
)
@settings(max_examples=40, deadline=None)
def test_events_pass_through_sql_as_they_are(
    events: list[tuple[int, int | None, float]],
) -> None:
    """Whatever their item, microsecond and weight."""
    with duckdb.connect() as con:
        con.execute(
            """
            CREATE TABLE events (user_id INTEGER, item_id INTEGER, event_time TIMESTAMP, weight DOUBLE);
            CREATE TABLE item_vectors (item_id INTEGER, item_index INTEGER)
            """
        )
        for item, time, weight in events:
            con.execute(
                "INSERT INTO events VALUES (1, ?, make_timestamp(?), ?)", [item, time, weight]
            )
        con.execute("INSERT INTO item_vectors SELECT DISTINCT item_id, item_id FROM events")
        history = sql("answer/history_of_user", **history_parts("main", "INTEGER", {}))
        lists = arrow(con, f"SELECT coalesce(({history}), []) FROM (SELECT 1 AS user_id)").column(0)
    item, time, weight = unpacked(*halves(pc.list_flatten(lists.combine_chunks())))
    order = np.argsort(item)
    rows = sorted(events)
    assert item[order].tolist() == [row[0] for row in rows]
    wanted = [np.nan if row[1] is None else row[1] / 1e6 for row in rows]
    np.testing.assert_array_equal(time[order], wanted)
    np.testing.assert_allclose(weight[order], [row[2] for row in rows], rtol=1e-6)
