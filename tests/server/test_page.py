"""The page beside the server, what it tells of itself, and the lines that it logs."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import morec_sql
from tests.server.conftest import PASSWORD, Served, add_user, served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
ROLES = """
[roles.analyst]
users = ["bob"]
[roles.analyst.mask]
"products.title" = "null"
"""


class Beside:
    """A server with its page, and what it logs."""

    def __init__(self, running: Served) -> None:
        assert running.process.stdout is not None
        said = running.process.stdout.readline()
        found = re.search(r"(http://\S+)", said)
        assert found is not None, said
        self.running, self.url = running, found[1]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        lines = self.running.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def client(self, user: str = "ana", password: str = PASSWORD) -> Any:
        return httpx.Client(base_url=self.url, auth=(user, password), timeout=30)

    def figures(self) -> dict[str, float]:
        with self.client() as client:
            text = client.get("/metrics").text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        return {name: float(value) for name, value in lines}


@pytest.fixture(scope="module")
def beside(small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    path = tmp_path_factory.mktemp("page") / "small.duckdb"
    shutil.copy(small_file, path)
    for user in ("ana", "bob"):
        add_user(path, user)
    config = path.with_name("roles.toml")
    config.write_text(ROLES)
    with served(path, "--web", "0", "--config", str(config)) as running:
        yield Beside(running)


def test_it_is_for_its_users(beside: Beside) -> None:
    with httpx.Client(base_url=beside.url) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/readyz").text == "ready\n"
        for path in ("/", "/page.js", "/metrics", "/api/recommenders", "/api/list"):
            assert client.get(path).status_code == 401
    with beside.client(password="wrong") as client:
        assert client.get("/").status_code == 401
    with beside.client("nobody") as client:
        assert client.get("/").status_code == 401
    with beside.client() as client:
        page = client.get("/")
        assert (
            "script-src" in page.headers["content-security-policy"]
            or "default-src 'self'" in (page.headers["content-security-policy"])
        )
        assert client.get("/../../etc/passwd").status_code == 404


def test_the_workbench_gives_what_sql_gives(beside: Beside) -> None:
    with beside.client() as client:
        [one] = client.get("/api/recommenders").json()["recommenders"]
        assert one["name"] == "shop"
        assert one["objectives"][0]["objective"] == "relevance"
        assert one["versions"][0]["in_use"] is True
        stages = [stage["stage"] for stage in one["stages"]]
        assert "train" in stages
        assert any(stage.startswith("check: ") for stage in stages)
        weights = {"relevance": 0.8, "margin": -0.2}
        given = {
            "recommender": "shop",
            "user": "3",
            "weights": weights,
            "filter": "price > 5",
            "k": 4,
        }
        found = client.post("/api/list", json=given).json()
        with morec_sql.connect(beside.running.path, read_only=True) as con:
            expected = con.execute(found["sql"]).fetchall()
            reasons = con.execute("SELECT count(*) FROM shop.explain(3, $1)", [expected[0][1]])
            explained = reasons.fetchall()[0][0]
        assert [(row["rank"], row["item_id"]) for row in found["rows"]] == [
            (row[0], row[1]) for row in expected
        ]
        assert found["rows"][0]["name"].split()[0] in ("tea", "screwdriver")
        item = found["rows"][0]["item_id"]
        why = client.post("/api/explain", json={"recommender": "shop", "user": "3", "item": item})
        assert len(why.json()["rows"]) == explained
        basket = {"recommender": "shop", "basket": "1, 2", "k": 3}
        assert "recommend_for" in client.post("/api/list", json=basket).json()["sql"]


def test_what_is_wrong_is_said_in_a_sentence(beside: Beside) -> None:
    with beside.client() as client:
        for given, words in [
            ({"recommender": "nope"}, "there is no 'nope'"),
            ({"recommender": "shop", "filter": "nope > 1"}, "unknown column 'nope'"),
            ({"recommender": "shop", "filter": "price > 1') --"}, "filter"),
            ({"recommender": "shop", "weights": {"nope": 1}}, "nope"),
            ({"recommender": "shop", "user": "3", "k": "many"}, "k"),
            (
                {"recommender": "shop", "filter": "EXISTS (FROM read_text('/etc/passwd'))"},
                "read_text",
            ),
        ]:
            answer = client.post("/api/list", json=given)
            assert answer.status_code == 400
            assert words in answer.json()["error"], answer.text
        assert client.post("/api/list", content=b"no JSON").status_code == 400
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert client.post("/api/list", content=b"{}", headers=form).status_code == 400


def test_roles_hold_on_the_page_too(beside: Beside) -> None:
    with beside.client("bob") as client:
        found = client.post("/api/list", json={"recommender": "shop", "user": "3"}).json()
        assert found["rows"]
        assert {row["name"] for row in found["rows"]} == {None}


def test_figures_and_lines_tell_what_happened(beside: Beside) -> None:
    before = beside.figures()
    with psycopg.connect(beside.running.dsn, autocommit=True) as con:
        con.execute(
            "SELECT * FROM recommend(3, weights => [0.7, 0.1, 0.1, 0.1], k => 5)"
        ).fetchall()
        con.execute("SELECT * FROM recommend(%s, k => 5)", [12345]).fetchall()
        with pytest.raises(psycopg.Error):
            con.execute("SELECT title FROM products WHERE title = 'a secret' AND nope = 17")
        time.sleep(0.2)
        after = beside.figures()
        assert after["morec_sessions"] >= 1

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('morec_statements_total{kind="select",outcome="ok"}') == 2
    assert more('morec_statements_total{kind="select",outcome="error 42"}') == 1
    assert more('morec_lists_total{personal="true"}') == 1
    assert more('morec_lists_total{personal="false"}') == 1
    assert more("morec_rows_total") == 10
    assert more('morec_statement_seconds_count{kind="select"}') == 3
    assert 'morec_served_objective{objective="margin"}' in after
    assert after['morec_recommender_version{recommender="shop"}'] == 1
    assert after['morec_recommender_events_since_training{recommender="shop"}'] == 0
    told = [line for line in beside.lines if line["event"] == "statement"][-3:]
    assert [line["code"] for line in told] == ["00000", "00000", "42703"]
    assert told[0]["statement"] == "SELECT * FROM recommend(?, weights => [?, ...], k => ?)"
    assert told[0]["rows"] == 5
    assert told[0]["user"] == "ana"
    assert "secret" not in json.dumps(beside.lines)
    assert "17" not in told[2]["statement"]


def test_the_page_in_a_browser(beside: Beside, tmp_path: Path) -> None:
    browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with browsers.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (1200, 390):
            context = browser.new_context(
                http_credentials={"username": "ana", "password": PASSWORD},
                viewport={"width": width, "height": 800},
            )
            page = context.new_page()
            broken: list[str] = []
            page.on("pageerror", lambda error, broken=broken: broken.append(str(error)))
            page.goto(beside.url)
            page.wait_for_selector("#weights input")
            # by the keyboard alone: to the user, then down to what is asked
            page.focus("#user")
            page.keyboard.type("3")
            page.keyboard.press("Enter")
            page.wait_for_selector("#list tbody tr")
            assert page.locator("#list tbody tr").count() == 10
            assert "personal" in page.inner_text("#said")
            before = page.inner_text("#list tbody")
            page.focus("#weights input")
            for _ in range(12):
                page.keyboard.press("PageDown")
            page.keyboard.press("End")
            page.wait_for_function(
                "before => document.querySelector('#list tbody').innerText !== before", arg=before
            )
            page.focus("#list tbody button")
            page.keyboard.press("Enter")
            page.wait_for_selector("#explanation tbody tr")
            assert "shop.explain(" in page.inner_text("#statement code")
            page.fill("#filter", "nope > 1")
            page.keyboard.press("Enter")
            page.wait_for_selector("#said.wrong")
            assert "unknown column 'nope'" in page.inner_text("#said")
            # nothing is wider than the window
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=tmp_path / f"page-{width}.png", full_page=True)
            assert not broken
            context.close()
        browser.close()
