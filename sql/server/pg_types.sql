-- PostgreSQL's types that results are of, by their numbers, and those of DuckDB's types.
CREATE TABLE ${pg}.main.scalars AS SELECT * FROM scalars;

CREATE TABLE ${pg}.main.pg_type AS
SELECT
    CAST(oid AS UINTEGER) AS oid,
    typname,
    CAST(11 AS UINTEGER) AS typnamespace,
    10 AS typowner,
    size AS typlen,
    size IN (1, 2, 4, 8) AS typbyval,
    CASE WHEN typname IN ('record', 'any') THEN 'p' ELSE 'b' END AS typtype,
    category AS typcategory,
    typname IN ('text', 'float8', 'bool', 'timestamptz', 'oid') AS typispreferred,
    true AS typisdefined,
    ',' AS typdelim,
    CAST(0 AS UINTEGER) AS typrelid,
    CAST(0 AS UINTEGER) AS typelem,
    CAST(array_oid AS UINTEGER) AS typarray,
    CASE typname WHEN 'any' THEN 'any_in' ELSE typname || 'in' END AS typinput,
    typname || 'out' AS typoutput,
    typname || 'recv' AS typreceive,
    typname || 'send' AS typsend,
    '-' AS typmodin,
    '-' AS typmodout,
    '-' AS typanalyze,
    '-' AS typsubscript,
    'i' AS typalign,
    'p' AS typstorage,
    false AS typnotnull,
    CAST(0 AS UINTEGER) AS typbasetype,
    -1 AS typtypmod,
    0 AS typndims,
    0 AS typcollation,
    CAST(NULL AS VARCHAR) AS typdefault,
    CAST(NULL AS VARCHAR[]) AS typacl,
    display
FROM (
    VALUES
        (16, 'bool', 'boolean', 1, 'B', 1000),
        (17, 'bytea', 'bytea', -1, 'U', 1001),
        (18, 'char', '"char"', 1, 'Z', 1002),
        (19, 'name', 'name', 64, 'S', 1003),
        (20, 'int8', 'bigint', 8, 'N', 1016),
        (21, 'int2', 'smallint', 2, 'N', 1005),
        (23, 'int4', 'integer', 4, 'N', 1007),
        (24, 'regproc', 'regproc', 4, 'N', 1008),
        (25, 'text', 'text', -1, 'S', 1009),
        (26, 'oid', 'oid', 4, 'N', 1028),
        (114, 'json', 'json', -1, 'U', 199),
        (700, 'float4', 'real', 4, 'N', 1021),
        (701, 'float8', 'double precision', 8, 'N', 1022),
        (705, 'unknown', 'unknown', -2, 'X', 0),
        (1042, 'bpchar', 'character', -1, 'S', 1014),
        (1043, 'varchar', 'character varying', -1, 'S', 1015),
        (1082, 'date', 'date', 4, 'D', 1182),
        (1083, 'time', 'time without time zone', 8, 'D', 1183),
        (1114, 'timestamp', 'timestamp without time zone', 8, 'D', 1115),
        (1184, 'timestamptz', 'timestamp with time zone', 8, 'D', 1185),
        (1186, 'interval', 'interval', 16, 'T', 1187),
        (1266, 'timetz', 'time with time zone', 12, 'D', 1270),
        (1560, 'bit', 'bit', -1, 'V', 1561),
        (1700, 'numeric', 'numeric', -1, 'N', 1231),
        (2205, 'regclass', 'regclass', 4, 'N', 2210),
        (2249, 'record', 'record', -1, 'P', 2287),
        (2276, 'any', '"any"', 4, 'P', 0),
        (2950, 'uuid', 'uuid', 16, 'U', 2951),
        (3802, 'jsonb', 'jsonb', -1, 'U', 3807)
) AS t(oid, typname, display, size, category, array_oid);

INSERT INTO ${pg}.main.pg_type
SELECT * REPLACE (
    typarray AS oid,
    '_' || typname AS typname,
    -1 AS typlen,
    false AS typbyval,
    'A' AS typcategory,
    oid AS typelem,
    0 AS typarray,
    'array_in' AS typinput,
    'array_out' AS typoutput,
    'array_recv' AS typreceive,
    'array_send' AS typsend,
    'array_subscript_handler' AS typsubscript,
    display || '[]' AS display
)
FROM ${pg}.main.pg_type
WHERE typarray <> 0;

-- the number of a type that DuckDB writes so; those without one are text, and what is nested JSON
CREATE MACRO ${pg}.main.type_oid(written) AS
CASE
    WHEN written LIKE 'STRUCT%' OR written LIKE 'MAP%' OR written LIKE 'UNION%' OR written = 'JSON'
    THEN 114
    WHEN written LIKE '%][%' THEN 114
    WHEN written LIKE '%]'
    THEN coalesce(
        (
            SELECT max(t.typarray)
            FROM ${pg}.main.scalars AS s
            JOIN ${pg}.main.pg_type AS t ON t.oid = s.oid
            WHERE s.name = lower(regexp_extract(written, '^[A-Za-z_ ]+'))
        ),
        114
    )
    ELSE coalesce(
        (
            SELECT max(s.oid)
            FROM ${pg}.main.scalars AS s
            WHERE s.name = lower(regexp_extract(written, '^[A-Za-z_ ]+'))
        ),
        25
    )
END;
