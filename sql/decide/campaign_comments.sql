-- What each object of the campaigns is, for whoever browses the catalogue.
COMMENT ON VIEW ${schema}.campaigns IS 'The campaigns, with when they start and end.';
COMMENT ON VIEW ${schema}.campaign_members IS 'Whom campaigns were offered to, or kept from (control).';
COMMENT ON VIEW ${schema}.campaign_items IS 'Which items a campaign is about.';
COMMENT ON VIEW ${schema}.campaign_redemptions IS 'Who took part in a campaign, and when.';
COMMENT ON VIEW ${schema}.campaign_purchases IS
    'The events with what each brought (value), and whether at a discount.';
COMMENT ON TABLE ${schema}.campaign_settings IS 'How create_campaigns was called: one row.';
COMMENT ON TABLE ${schema}.campaign_model IS
    'What was learnt: the coefficient of each feature, standardised, for each outcome.';
COMMENT ON TABLE ${schema}.campaign_objectives IS
    'The objectives in the order of weights, with what they are standardised by.';
COMMENT ON COLUMN ${schema}.campaign_objectives.default_weight IS
    'Weight where a query gives none; UPDATE it to change the default.';
COMMENT ON TABLE ${schema}.campaign_quality IS
    'How well the latest campaigns were foretold from those before, beside baselines; in_interval is the'
    ' share of them that came within the 90 % intervals.';
COMMENT ON COLUMN ${schema}.campaign_quality.gain IS
    'How much larger the value of the first method of the outcome is.';
COMMENT ON TABLE ${schema}.campaign_balance IS
    'How control groups differ from who got the offer, before it; without rows where there is none.';
COMMENT ON TABLE ${schema}.campaign_uplift IS
    'What offers to the best share of users would have brought beyond none; without rows where no'
    ' control group is.';
