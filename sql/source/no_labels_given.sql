-- What a query says in its argument attributes, where no feature was declared for it.
SELECT CASE
    WHEN attributes IS NOT NULL
        THEN CAST(error(${said}) AS VARCHAR[])
END AS _labels
