-- A label in the history of a user: a whole number, as an event is, with a time that no event has.
CAST(-4611686018427387905 AS HUGEINT) * 18446744073709551616 + ${key}
