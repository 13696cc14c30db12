-- What a number or time says, as labels: in which range it is.
CASE
    WHEN isfinite(${number})
        THEN [${name} || [${ranges}][1 + len(list_filter([${cuts}], lambda _c: _c <= ${number}))]]
END
