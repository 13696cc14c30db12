-- What was learnt from campaigns, coefficient by coefficient.
SELECT outcome, feature, mean, deviation, coefficient, low, high FROM ${schema}.campaign_model
