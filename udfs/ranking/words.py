"""How well texts match words: BM25 (Robertson and Zaragoza 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..history import Floats

SATURATION = 1.2  # how soon further mentions of a word stop counting
LENGTH = 0.75  # how much long texts are held to be long-winded


class Words:
    """The words of some texts, weighed.

    A word w that a text d of length |d| has f times adds

        log(1 + (n - n_w + 1/2) / (n_w + 1/2)) f (k + 1) / (f + k (1 - b + b |d| / mean |d|))

    with n texts, n_w of them with the word. Case and accents do not count.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self._texts = len(texts)
        self._vectoriser = CountVectorizer(
            strip_accents="unicode", token_pattern=r"(?u)\w+", dtype=np.float32
        )
        counts = self._vectoriser.fit_transform(texts).tocsc()
        length = np.asarray(counts.sum(axis=1)).ravel()
        with_word = np.diff(counts.indptr)
        rarity = np.log(1 + (len(texts) - with_word + 0.5) / (with_word + 0.5))
        held = SATURATION * (1 - LENGTH + LENGTH * length / max(float(length.mean()), 1e-9))
        many = counts.data * (SATURATION + 1) / (counts.data + held[counts.indices])
        counts.data = (many * np.repeat(rarity, with_word)).astype(np.float32)
        self._weights = counts

    def scores(self, words: str) -> Floats:
        """The score of each text, shape (texts,); 0 for one without any of the words."""
        wanted = self._vectoriser.transform([words]).indices
        out = np.zeros(self._texts, np.float32)
        for word in wanted:
            part = slice(*self._weights.indptr[word : word + 2])
            out[self._weights.indices[part]] += self._weights.data[part]
        return out
