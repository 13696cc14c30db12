"""Texts of SQL as DuckDB splits them: words, statements, and what is called."""

from __future__ import annotations

import itertools

import duckdb


def tokens(text: str) -> list[tuple[str, str]]:
    """The words of a text with the blanks after them, and their kinds."""
    encoded = text.encode()
    found = duckdb.tokenize(text)
    ends = [*(place for place, _ in found), len(encoded)][1:]
    return [
        (encoded[place:end].decode(errors="replace"), kind.name)
        for (place, kind), end in zip(found, ends, strict=False)
    ]


def words_of(text: str) -> list[str]:
    """The keywords and names with which a statement begins, in lower case."""
    found = itertools.takewhile(
        lambda token: token[1] in ("keyword", "identifier"), _without_comments(text)
    )
    return [word.lower() for word, _ in itertools.islice(found, 6)]


def called_in(text: str) -> set[str]:
    """Names in front of a parenthesis, in lower case."""
    return {
        word.strip('"').replace('""', '"').lower()
        for (word, kind), (following, _) in itertools.pairwise(_without_comments(text))
        if following == "(" and kind in ("identifier", "keyword")
    }


def statements_of(text: str) -> list[str]:
    """The statements of a text, as they are written; empty ones are left out."""
    if ";" not in text:
        return [text] if text.strip() else []
    encoded = text.encode()
    ends = [place for place, _ in duckdb.tokenize(text) if encoded[place : place + 1] == b";"]
    starts = [0, *(end + 1 for end in ends)]
    pieces = (
        encoded[start:end].decode()
        for start, end in zip(starts, [*ends, len(encoded)], strict=True)
    )
    return [piece for piece in pieces if _without_comments(piece)]


def _without_comments(text: str) -> list[tuple[str, str]]:
    return [(word.strip(), kind) for word, kind in tokens(text) if kind != "comment"]
