-- The number by which a label is known: 63 bits of its MD5 sum.
CAST(md5_number_lower(${label}) >> 1 AS BIGINT)
