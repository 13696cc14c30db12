"""A dbt project in which a model is a recommender."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = [
    pytest.mark.dbt,
    pytest.mark.skipif(find_spec("dbt") is None, reason="dbt is not installed"),
]
PROJECT = Path(__file__).parent / "dbt_shop"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "dbt"


class Project:
    """A copy of the project, and the dbt that is installed beside this Python."""

    def __init__(self, folder: Path, warehouse: Path) -> None:
        self.folder, self.warehouse = folder, warehouse
        bin = Path(sys.executable).parent
        package = subprocess.run([bin / "morec", "dbt"], capture_output=True, text=True, check=True)
        self.environment = {
            **os.environ,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_PROFILES_DIR": ".",
            "MOREC_DBT": package.stdout.strip(),
            "WAREHOUSE": str(warehouse),
        }
        self.command = [str(bin / "dbt"), "--no-use-colors"]
        assert self.run("deps")[0] == 0

    def run(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self.command, *arguments], cwd=self.folder, env=self.environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as con:
            return con.execute(query).fetchall()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("dbt") / "shop"
    shutil.copytree(PROJECT, folder)
    return Project(folder, folder / "small.duckdb")


def test_a_model_is_a_recommender(project: Project) -> None:
    status, said = project.run("build", "--threads", "4")
    assert status == 0, said
    assert "PASS=7" in said
    made = project.ask("SELECT id, in_use, made_by FROM shop.versions")
    assert made == [(1, True, "create_recommender")]
    assert project.ask("SELECT count(*), count(DISTINCT user_id) FROM lists") == [(300, 60)]
    # the same again: trained anew, and all lists are of the new version
    status, said = project.run("build", "--threads", "4")
    assert status == 0, said
    made = project.ask("SELECT id, in_use, made_by FROM main.shop ORDER BY id")
    assert made == [(1, False, "create_recommender"), (2, True, "refresh_recommender")]
    assert project.ask("SELECT DISTINCT version FROM lists") == [(2,)]
    # another argument makes it anew
    status, said = project.run("build", "--vars", "{dimensions: 4}")
    assert status == 0, said
    assert project.ask("SELECT id, made_by FROM main.shop WHERE in_use") == [
        (3, "create_recommender")
    ]
    status, said = project.run("run", "--full-refresh", "--vars", "{dimensions: 4}")
    assert status == 0, said
    assert project.ask("SELECT made_by FROM main.shop WHERE in_use") == [("create_recommender",)]


def test_lists_of_users_with_new_events_alone_are_computed_anew(project: Project) -> None:
    assert project.run("run", "--vars", "{users: 60}")[0] == 0
    version = project.ask("SELECT DISTINCT version FROM lists")
    assert project.run("run", "--select", "orders", "--vars", "{users: 62}")[0] == 0
    status, said = project.run("run", "--select", "lists")
    assert status == 0, said
    assert project.ask("SELECT count(DISTINCT user_id) FROM lists") == [(62,)]
    assert project.ask("SELECT DISTINCT version FROM lists") == version
    assert project.run("test")[0] == 0
    assert project.run("compile")[0] == 0


def test_a_build_fails_where_quality_drops(project: Project) -> None:
    status, said = project.run("test", "--select", "shop", "--vars", "{at_least: 0.99}")
    assert status != 0
    assert "FAIL 1 morec_ndcg_at_least_shop" in said
    assert project.run("retry")[0] != 0
    assert project.run("retry", "--vars", "{at_least: 0.1}")[0] == 0


def test_its_documentation_has_the_recommender(project: Project) -> None:
    status, said = project.run("docs", "generate")
    assert status == 0, said
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text(encoding="utf-8"))
    shop = catalog["nodes"]["model.small.shop"]
    assert {"id", "in_use", "made_by", "ndcg"} <= shop["columns"].keys()


def test_what_is_wrong_with_a_recommender_is_said(project: Project) -> None:
    model = project.folder / "models" / "shop.sql"
    text = model.read_text(encoding="utf-8")
    before = project.ask("SELECT id FROM shop.versions")
    model.write_text(text.replace("'customer_id'", "'customer'"), encoding="utf-8")
    status, said = project.run("run", "--select", "shop")
    model.write_text(text, encoding="utf-8")
    assert status != 0
    assert "user_id: " in said
    assert "customer_id" in said
    assert project.ask("SELECT id FROM shop.versions") == before


def test_the_example_on_real_orders(journey_file: Path, tmp_path: Path) -> None:
    folder, warehouse = tmp_path / "example", tmp_path / "demo.duckdb"
    shutil.copytree(EXAMPLE, folder)
    shutil.copy(journey_file, warehouse)
    example = Project(folder, warehouse)
    status, said = example.run("build", "--vars", "{until: '2017-12-25'}")
    assert status == 0, said
    assert "PASS=9" in said
    assert example.ask("SELECT count(*), min(rank), max(rank) FROM next_mailing") == [(500, 1, 500)]
    assert example.ask("SELECT count(*) > 0, min(units) > 0 FROM next_order") == [(True, True)]
    before = dict(example.ask("SELECT user_id, any_value(events) FROM household_lists GROUP BY 1"))
    # the days that come: lists of those who bought something, by the same version
    status, said = example.run("run", "--select", "purchases", "household_lists")
    assert status == 0, said
    after = dict(example.ask("SELECT user_id, any_value(events) FROM household_lists GROUP BY 1"))
    assert any(after[user] > events for user, events in before.items())
    assert any(after[user] == events for user, events in before.items())
    assert example.ask("SELECT DISTINCT version FROM household_lists") == [(1,)]
    # beside the recommender of the demo
    assert example.ask("SELECT count(*) FROM shop.versions") == [(1,)]
