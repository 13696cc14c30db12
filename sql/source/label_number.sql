-- What a number says, as labels: itself.
CASE WHEN isfinite(${number}) THEN [${name} || printf('%.15g', ${number})] END
