-- What a text says, as labels: each of its words.
list_transform(
    regexp_extract_all(lower(CAST(${value} AS VARCHAR)), '[\p{L}\p{N}]{2,}'), lambda _v: ${name} || _v
)
