"""embed_image, by a tiny model of pictures and texts whose weights are random."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import morec_sql
from tests.answer.test_items import rows

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    import torch
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(code) for code in range(97, 123)]
    tokens = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    small = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    clip = CLIPModel(
        CLIPConfig(
            text_config={
                **small,
                "vocab_size": len(tokens),
                "max_position_embeddings": 20,
                "bos_token_id": len(tokens) - 2,
                "eos_token_id": len(tokens) - 1,
            },
            vision_config={**small, "image_size": 32, "patch_size": 16},
            projection_dim=8,
        )
    )
    tokenizer: Any = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    pictures: Any = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    clip.save_pretrained(folder)
    CLIPProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return str(folder)


def png(colour: tuple[int, int, int], size: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(out, "PNG")
    return out.getvalue()


def test_pictures_have_vectors_and_what_is_none_has_not(model: str) -> None:
    con = morec_sql.connect()
    con.execute("CREATE TABLE pictures (name VARCHAR, content BLOB)")
    red, large, blue = png((255, 0, 0)), png((255, 0, 0), 80), png((0, 0, 255))
    for name, content in (
        ("red", red), ("large", large), ("blue", blue), ("text", b"no picture"), ("cut", red[:40]),
        ("none", None),
    ):  # fmt: skip
        con.execute("INSERT INTO pictures VALUES (?, ?)", [name, content])
    found = dict(rows(con, f"SELECT name, embed_image(content, '{model}') FROM pictures"))
    assert [name for name, vector in found.items() if vector is None] == ["text", "cut", "none"]
    vectors = np.array([found[name] for name in ("red", "large", "blue")])
    assert vectors.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.01
    # texts of the same model are in the same space
    query = (
        f"SELECT similarity(embed('red', '{model}'), embed_image(content, '{model}')) FROM pictures"
    )
    known = [one for (one,) in rows(con, query) if one is not None]
    assert len(known) == 3
    con.close()


def test_pictures_of_files_join_the_content(model: str, tmp_path: Path) -> None:
    con = morec_sql.connect()
    for item in range(20):
        shade = 255 - 5 * (item // 2)
        picture = png((shade, 0, 0) if item % 2 else (0, 0, shade))
        (tmp_path / f"{item}.png").write_bytes(picture)
    con.execute(
        "CREATE TABLE products AS"
        " SELECT CAST(parse_filename(filename, true) AS INTEGER) AS item_id,"
        f" embed_image(content, '{model}') AS look FROM read_blob('{tmp_path}/*.png')"
    )
    # even users take what is blue, odd ones what is red; nobody has taken 18 and 19
    con.execute(
        "CREATE TABLE orders AS"
        " SELECT u AS user_id, (CAST(md5_number_lower(u || '/' || n) % 9 AS INTEGER) * 2 + u % 2)"
        " AS item_id FROM range(60) AS t(u), range(5) AS s(n)"
    )
    con.execute(
        "FROM create_recommender('shop', events => 'orders', items => 'products',"
        " vectors => {image: 'look'})"
    )
    query = (
        "SELECT item_id FROM shop.recommend({}, weights => {{relevance: 1}}, k => 1,"
        " filter => 'item_id >= 18')"
    )
    assert [rows(con, query.format(user)) for user in (2, 3)] == [[(18,)], [(19,)]]
    con.close()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("embed_image(encode('x'), 'all-MiniLM-L6-v2')", "model: .* is of texts alone"),
        ("embed_image(encode('x'), NULL)", "model: one name for the whole query is needed"),
        ("embed_image(encode('x'), 'no such model')", "model: 'no such model' could not be loaded"),
    ],
)
def test_models_that_are_none(small: duckdb.DuckDBPyConnection, call: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        small.execute(f"SELECT {call}")
