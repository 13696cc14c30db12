"""An engine URL with which everything that speaks SQLAlchemy has the functions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import CREATE_SMALL, SMALL

pytest.importorskip("duckdb_sqlalchemy", reason="duckdb-sqlalchemy is not installed")


def test_an_engine_has_the_functions(tmp_path: Path) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(f"morec:///{tmp_path}/small.duckdb")
    with engine.begin() as con:
        con.exec_driver_sql(SMALL)
    with engine.connect() as con:
        assert con.exec_driver_sql(CREATE_SMALL).fetchall()
    query = sa.text("SELECT item_id FROM recommend(:user, k => 3) ORDER BY rank")

    def listed(user: int) -> list[int]:
        with engine.connect() as con:
            return [row[0] for row in con.execute(query, {"user": user})]

    alone = [listed(user) for user in range(12)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(listed, range(12))) == alone
    inspector = sa.inspect(engine)
    assert {"events", "items", "versions"} <= set(inspector.get_view_names("shop"))
    columns = {one["name"] for one in inspector.get_columns("versions", schema="shop")}
    assert {"id", "in_use", "ndcg"} <= columns
    engine.dispose()
    reader = sa.create_engine(f"morec:///{tmp_path}/small.duckdb?access_mode=read_only")
    with reader.connect() as con:
        assert [row[0] for row in con.execute(query, {"user": 3})] == alone[3]
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            con.exec_driver_sql("FROM refresh_recommender('shop')").fetchall()
    reader.dispose()
