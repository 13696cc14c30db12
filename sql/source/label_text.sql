-- What a text says, as labels: itself, whatever its case.
[${name} || nullif(lower(trim(CAST(${value} AS VARCHAR))), '')]
