-- The edges of a graph under standard names.
SELECT ${source} AS source, ${target} AS target, ${weight} AS weight FROM ${edges} AS _e
