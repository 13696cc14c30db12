-- Why a row of a list is there, as a sentence: for who asks.
CASE
    WHEN coalesce(CAST(reasons AS VARCHAR), 'false') <> 'false'
        THEN morec_reason(
            current_database(), ${schema_name}, _ranked._version, current_query_id(),
            CAST(reasons AS VARCHAR),
            _ranked._r.item_id, _ranked._r.contributions, _ranked._history, _ranked._now,
            _ranked._limited
        )
END
