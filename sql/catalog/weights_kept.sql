-- The objectives as they are now, into the archive: their default weights may have been changed.
UPDATE ${schema}.archive
SET objectives = (SELECT list(_o ORDER BY _o.position) FROM ${schema}.objectives AS _o)
WHERE settings.version = (SELECT _s.version FROM ${schema}.settings AS _s);
