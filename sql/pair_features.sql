    -- What relevance reads of the events of one user with one item: decayed weights, days, ages.
    CAST(sum(_e.weight * pow(2, -(${age}) / ${short})) / ${mean_weight} AS FLOAT) AS short,
    CAST(sum(_e.weight * pow(2, -(${age}) / ${medium})) / ${mean_weight} AS FLOAT) AS medium,
    CAST(sum(_e.weight * pow(2, -(${age}) / ${long})) / ${mean_weight} AS FLOAT) AS long,
    CAST(${count} AS FLOAT) AS count,
    CAST(min(${age}) / ${medium} AS FLOAT) AS last,
    CAST(max(${age}) / ${medium} AS FLOAT) AS first
