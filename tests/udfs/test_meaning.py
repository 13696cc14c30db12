"""Nearness in meaning, against all cosines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.ranking.meaning import Meaning, first


def unit(rows: np.ndarray) -> np.ndarray:
    out: np.ndarray = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return out


@pytest.mark.parametrize("spread", [1.0, 0.95], ids=["every direction", "few directions"])
def test_the_nearest_are_among_the_first_roughly(spread: float) -> None:
    generator = np.random.default_rng(0)
    # directions count less and less, or all alike
    texts = unit(generator.normal(size=(3000, 64)) * spread ** np.arange(64))
    query = unit(generator.normal(size=64) * spread ** np.arange(64))
    meaning = Meaning(texts)
    cosine = texts @ query
    rough = meaning.roughly(query)
    assert np.abs(rough - cosine).max() < 0.25
    assert np.abs(rough - cosine).mean() < 0.06
    nearest = np.argsort(-cosine)[:20]
    assert set(nearest) <= set(first(rough, 200))
    np.testing.assert_allclose(meaning.exactly(query, nearest), cosine[nearest], atol=1e-6)


def test_a_single_text_and_texts_alike() -> None:
    one = unit(np.ones((1, 8)))
    assert Meaning(one).roughly(one[0]) == pytest.approx([1], abs=0.01)
    assert Meaning(np.repeat(one, 5, axis=0)).roughly(-one[0]) == pytest.approx([-1] * 5, abs=0.01)


@given(
    scores=st.lists(st.integers(-3, 3), max_size=40),
    count=st.integers(1, 50),
    above=st.none() | st.integers(-3, 3),
)
@settings(max_examples=200, deadline=None)
def test_the_first_are_the_largest(scores: list[int], count: int, above: int | None) -> None:
    values = np.array(scores, np.float32)
    found = first(values, count) if above is None else first(values, count, above=float(above))
    there = [place for place in range(len(scores)) if above is None or scores[place] > above]
    assert len(found) == min(count, len(there)) == len(set(found))
    assert set(found) <= set(there)
    wanted = sorted((scores[place] for place in there), reverse=True)[:count]
    assert [scores[place] for place in found] == wanted
    # equal ones by their place
    pairs = [(-scores[place], place) for place in found]
    assert pairs == sorted(pairs)
