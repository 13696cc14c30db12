-- How an offer of a campaign to a user is rated.
    _r.score AS score,
    _r.participation AS participation,
    _r.conversion AS conversion,
    _r.satisfaction AS satisfaction,
    _r.uplift AS uplift,
    _r.participation_low AS participation_low,
    _r.participation_high AS participation_high,
    _r.conversion_low AS conversion_low,
    _r.conversion_high AS conversion_high,
    _r.uplift_low AS uplift_low,
    _r.uplift_high AS uplift_high,
    {
        'participation': _r.contributions[1],
        'conversion': _r.contributions[2],
        'satisfaction': _r.contributions[3],
        'uplift': _r.contributions[4]
    } AS contributions,
    CAST(_r.items AS ${item_type}[]) AS items,
    _r.offered AS offered,
    _r.evidence AS evidence
