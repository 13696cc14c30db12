"""Thresholds, and how far what is served has moved from the training."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from morec_sql.server.alerts import Late, quantile, took
from morec_sql.server.drift import FEWEST, Drift, psi
from tests.server.conftest import add_user, served
from tests.server.test_page import Beside
from tests.server.test_replaced import awaited
from tests.server.test_safety import morec

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
CONFIG = """
[alerts]
errors = 0.1
slow_ms = 60000
not_personal = 0.5
age_days = 9
events_since_training = 0
drift = 0.25
"""


@pytest.fixture(scope="module")
def beside(small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    path = tmp_path_factory.mktemp("alerts") / "small.duckdb"
    shutil.copy(small_file, path)
    add_user(path)
    config = path.with_name("roles.toml")
    config.write_text(CONFIG)
    with served(path, "--web", "0", "--config", str(config)) as running:
        yield Beside(running)


def test_what_is_passed_is_a_figure_and_a_line(beside: Beside) -> None:
    names = ("errors", "slow_ms", "not_personal", "age_days", "events_since_training", "drift")
    known = [f'morec_alert{{alert="{name}"}}' for name in names]
    figures = beside.figures()
    assert [figures[one] for one in known] == [0] * 6
    with psycopg.connect(beside.running.dsn, autocommit=True) as con:
        users = [
            row[0] for row in con.execute("SELECT DISTINCT customer_id FROM orders").fetchall()
        ]
        drift = 'morec_recommender_drift{{of="{}",recommender="shop"}}'.format
        # as the training has them: nothing moves
        until = time.monotonic() + 60
        while drift("items") not in (figures := beside.figures()) and time.monotonic() < until:
            for user in users:
                con.execute("FROM shop.recommend(%s)", [user]).fetchall()
        assert figures[drift("items")] < 0.1
        assert figures[drift("scores")] < 0.1
        assert figures[known[-1]] == 0
        # one list for nobody, again and again
        for _ in range(6 * len(users)):
            con.execute("FROM shop.recommend(NULL, weights => {novelty: 1})").fetchall()
        for _ in range(2 * len(users)):
            with pytest.raises(psycopg.Error):
                con.execute("SELECT nothing")
        wanted = [1, 0, 1, 0, 0, 1]
        assert awaited(lambda: [beside.figures()[one] for one in known], wanted) == wanted
        figures = beside.figures()
        assert figures[drift("items")] > 0.25
    told = {one["alert"]: one for one in beside.lines if one["event"] == "alert"}
    assert set(told) == {"errors", "not_personal", "drift"}
    for name, threshold in (("errors", 0.1), ("not_personal", 0.5), ("drift", 0.25)):
        assert told[name]["state"] == "raised"
        assert told[name]["value"] > told[name]["threshold"] == threshold


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[alerts]\ndrfit = 1", "alerts: there is no 'drfit'; did you mean 'drift'"),
        ("[alerts]\ndrift = 'much'", "alerts.drift: 'much' is no number from 0 on"),
        ("[alerts]\nerrors = -1", "alerts.errors: -1 is no number from 0 on"),
        ("alerts = 3", "alerts: it is a table, .alerts., not 3"),
    ],
)
def test_bad_thresholds_are_said(own: Path, config: str, said: str) -> None:
    file = own.with_name("roles.toml")
    file.write_text(config)
    found = morec("serve", str(own), "--port", "0", "--config", str(file))
    assert found.returncode
    assert said.replace(".alerts.", "[alerts]") in " ".join(found.stderr.split())


def test_the_index_is_that_of_its_formula() -> None:
    expected, came = np.array([50, 30, 20]), np.array([10.0, 30.0, 60.0])
    e, a = (expected + 1) / 103, (came + 1) / 103
    assert psi(expected, came) == pytest.approx(sum((a - e) * np.log(a / e)))
    assert psi(expected, expected.astype(float)) == 0
    generator = np.random.default_rng(0)
    items = generator.integers(0, 200, 20_000) ** 2 // 200
    score = generator.normal(size=20_000)
    drift = Drift(pa.array(items.astype(str)), score)
    assert drift.index() == {}
    drift.count(pa.array(items[:5000].astype(str)), score[:5000])
    assert max(drift.index().values()) < 0.02
    other = Drift(pa.array(items.astype(str)), score)
    other.count(pa.array(["new"] * FEWEST), np.full(FEWEST, 9.0))
    assert min(other.index().values()) > 2


def test_quantiles_of_times() -> None:
    late = Late()
    for ms in range(1, 1001):
        late.add(**took(ms))
    assert quantile(late.sums(), 0.95) == pytest.approx(950, rel=0.27)
    assert quantile({}, 0.95) == 0
