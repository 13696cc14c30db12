-- What a list says, as labels: each of its values, whatever its case.
list_transform(
    CAST(${value} AS VARCHAR[]), lambda _v: ${name} || nullif(lower(trim(_v)), '')
)
