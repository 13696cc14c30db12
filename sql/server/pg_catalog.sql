-- PostgreSQL's catalogue of the warehouse, as far as clients read it, from DuckDB's. Numbers of
-- objects are UINTEGER, which only here are sent as PostgreSQL's type oid.
CREATE VIEW ${pg}.main.pg_namespace AS
SELECT
    CAST(oid AS UINTEGER) AS oid,
    schema_name AS nspname,
    10 AS nspowner,
    CAST(NULL AS VARCHAR[]) AS nspacl
FROM duckdb_schemas()
WHERE database_name = ${database} AND schema_name NOT IN ('pg_catalog', 'information_schema')
UNION ALL
VALUES (11, 'pg_catalog', 10, NULL), (13000, 'information_schema', 10, NULL);

-- the indexes of primary keys and unique columns, which DuckDB does not number, and all others
CREATE VIEW ${pg}.main.keys AS
SELECT
    1000000000 + table_oid * 100 + constraint_index AS indexrelid,
    constraint_name AS indexname,
    schema_oid AS indexnamespace,
    table_oid AS indrelid,
    len(constraint_column_indexes) AS indnatts,
    [place + 1 FOR place IN constraint_column_indexes] AS indkey,
    true AS indisunique,
    constraint_type = 'PRIMARY KEY' AS indisprimary,
    constraint_text AS definition
FROM duckdb_constraints()
WHERE database_name = ${database} AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
UNION ALL
SELECT
    index_oid,
    index_name,
    schema_oid,
    table_oid,
    1,
    CAST([0] AS BIGINT[]),
    is_unique,
    is_primary,
    sql
FROM duckdb_indexes()
WHERE database_name = ${database};

-- what tables and views are, with the indexes that keys have
CREATE VIEW ${pg}.main.pg_class AS
SELECT
    CAST(oid AS UINTEGER) AS oid,
    relname,
    CAST(relnamespace AS UINTEGER) AS relnamespace,
    CAST(0 AS UINTEGER) AS reltype,
    0 AS reloftype,
    10 AS relowner,
    CASE relkind WHEN 'i' THEN 403 WHEN 'r' THEN 2 ELSE 0 END AS relam,
    oid AS relfilenode,
    0 AS reltablespace,
    CAST(greatest(1, reltuples // 100) AS INTEGER) AS relpages,
    CAST(reltuples AS FLOAT) AS reltuples,
    0 AS relallvisible,
    0 AS reltoastrelid,
    relhasindex,
    false AS relisshared,
    'p' AS relpersistence,
    relkind,
    relnatts,
    0 AS relchecks,
    relkind = 'v' AS relhasrules,
    false AS relhastriggers,
    false AS relhassubclass,
    false AS relrowsecurity,
    false AS relforcerowsecurity,
    true AS relispopulated,
    'd' AS relreplident,
    false AS relispartition,
    0 AS relrewrite,
    CAST(NULL AS VARCHAR[]) AS relacl,
    CAST(NULL AS VARCHAR[]) AS reloptions,
    CAST(NULL AS VARCHAR) AS relpartbound,
    false AS relhasoids
FROM (
    SELECT
        table_oid AS oid,
        table_name AS relname,
        schema_oid AS relnamespace,
        estimated_size AS reltuples,
        has_primary_key OR index_count > 0 AS relhasindex,
        'r' AS relkind,
        column_count AS relnatts
    FROM duckdb_tables()
    WHERE database_name = ${database}
    UNION ALL
    SELECT view_oid, view_name, schema_oid, -1, false, 'v', column_count
    FROM duckdb_views()
    WHERE database_name = ${database} AND NOT internal
    UNION ALL
    SELECT indexrelid, indexname, indexnamespace, -1, false, 'i', indnatts
    FROM ${pg}.main.keys
);

CREATE VIEW ${pg}.main.pg_index AS
SELECT
    CAST(indexrelid AS UINTEGER) AS indexrelid,
    CAST(indrelid AS UINTEGER) AS indrelid,
    indnatts,
    indnatts AS indnkeyatts,
    indisunique,
    indisprimary,
    false AS indisexclusion,
    true AS indimmediate,
    false AS indisclustered,
    true AS indisvalid,
    false AS indcheckxmin,
    true AS indisready,
    true AS indislive,
    false AS indisreplident,
    false AS indnullsnotdistinct,
    indkey,
    [0 FOR place IN indkey] AS indcollation,
    [0 FOR place IN indkey] AS indclass,
    [0 FOR place IN indkey] AS indoption,
    CAST(NULL AS VARCHAR) AS indexprs,
    CAST(NULL AS VARCHAR) AS indpred
FROM ${pg}.main.keys;

CREATE VIEW ${pg}.main.pg_constraint AS
SELECT
    1000000000 + c.table_oid * 100 + c.constraint_index AS oid,
    c.constraint_name AS conname,
    c.schema_oid AS connamespace,
    CASE c.constraint_type
        WHEN 'PRIMARY KEY' THEN 'p'
        WHEN 'UNIQUE' THEN 'u'
        WHEN 'FOREIGN KEY' THEN 'f'
        ELSE 'c'
    END AS contype,
    false AS condeferrable,
    false AS condeferred,
    true AS convalidated,
    c.table_oid AS conrelid,
    0 AS contypid,
    CASE WHEN c.constraint_type IN ('PRIMARY KEY', 'UNIQUE')
        THEN 1000000000 + c.table_oid * 100 + c.constraint_index
        ELSE 0
    END AS conindid,
    0 AS conparentid,
    coalesce(f.table_oid, 0) AS confrelid,
    CASE c.constraint_type WHEN 'FOREIGN KEY' THEN 'a' ELSE ' ' END AS confupdtype,
    CASE c.constraint_type WHEN 'FOREIGN KEY' THEN 'a' ELSE ' ' END AS confdeltype,
    's' AS confmatchtype,
    true AS conislocal,
    0 AS coninhcount,
    true AS connoinherit,
    [place + 1 FOR place IN c.constraint_column_indexes] AS conkey,
    (
        SELECT list(k.column_index ORDER BY list_position(c.referenced_column_names, k.column_name))
        FROM duckdb_columns() AS k
        WHERE k.table_oid = f.table_oid AND list_contains(c.referenced_column_names, k.column_name)
    ) AS confkey,
    CAST(NULL AS VARCHAR) AS conbin,
    c.constraint_text AS definition
FROM duckdb_constraints() AS c
LEFT JOIN duckdb_tables() AS f
    ON f.database_name = c.database_name
    AND f.schema_name = c.schema_name
    AND f.table_name = c.referenced_table
WHERE c.database_name = ${database} AND c.constraint_type <> 'NOT NULL';

CREATE VIEW ${pg}.main.pg_attribute AS
SELECT
    CAST(table_oid AS UINTEGER) AS attrelid,
    column_name AS attname,
    CAST(${pg}.main.type_oid(data_type) AS UINTEGER) AS atttypid,
    -1 AS attstattarget,
    (
        SELECT max(t.typlen)
        FROM ${pg}.main.pg_type AS t
        WHERE t.oid = ${pg}.main.type_oid(data_type)
    ) AS attlen,
    CAST(column_index AS SMALLINT) AS attnum,
    0 AS attndims,
    CASE WHEN data_type LIKE 'DECIMAL(%)'
        THEN numeric_precision * 65536 + numeric_scale + 4
        ELSE -1
    END AS atttypmod,
    NOT is_nullable AS attnotnull,
    column_default IS NOT NULL AS atthasdef,
    false AS atthasmissing,
    '' AS attidentity,
    CASE WHEN is_generated THEN 's' ELSE '' END AS attgenerated,
    false AS attisdropped,
    true AS attislocal,
    0 AS attinhcount,
    0 AS attcollation,
    'p' AS attstorage,
    '' AS attcompression,
    CAST(NULL AS VARCHAR[]) AS attacl,
    CAST(NULL AS VARCHAR[]) AS attoptions,
    CAST(NULL AS VARCHAR[]) AS attfdwoptions
FROM duckdb_columns()
WHERE database_name = ${database} AND NOT internal
UNION ALL
SELECT
    CAST(k.indexrelid AS UINTEGER),
    c.column_name,
    CAST(${pg}.main.type_oid(c.data_type) AS UINTEGER),
    -1,
    -1,
    list_position(k.indkey, c.column_index),
    0,
    -1,
    false,
    false,
    false,
    '',
    '',
    false,
    true,
    0,
    0,
    'p',
    '',
    NULL,
    NULL,
    NULL
FROM ${pg}.main.keys AS k
JOIN duckdb_columns() AS c
    ON c.table_oid = k.indrelid
    AND c.database_name = ${database}
    AND list_contains(k.indkey, c.column_index);

CREATE VIEW ${pg}.main.pg_attrdef AS
SELECT
    table_oid * 1000 + column_index AS oid,
    table_oid AS adrelid,
    CAST(column_index AS SMALLINT) AS adnum,
    column_default AS adbin
FROM duckdb_columns()
WHERE database_name = ${database} AND NOT internal AND column_default IS NOT NULL;

-- the functions of the warehouse, which tools look for: ours, and macros of its owner
CREATE VIEW ${pg}.main.pg_proc AS
SELECT
    -- DuckDB numbers them by schema
    CAST(2000000000 + hash(schema_name, function_name, parameters) % 2000000000 AS UINTEGER) AS oid,
    function_name AS proname,
    (SELECT n.oid FROM ${pg}.main.pg_namespace AS n WHERE n.nspname = schema_name)
        AS pronamespace,
    10 AS proowner,
    14 AS prolang,
    1 AS procost,
    0 AS prorows,
    0 AS provariadic,
    'f' AS prokind,
    false AS prosecdef,
    false AS proleakproof,
    false AS proisstrict,
    false AS proisagg,
    false AS proiswindow,
    function_type = 'table_macro' AS proretset,
    'v' AS provolatile,
    's' AS proparallel,
    len(parameters) AS pronargs,
    0 AS pronargdefaults,
    CASE function_type WHEN 'table_macro' THEN 2249 ELSE 25 END AS prorettype,
    array_to_string([25 FOR one IN parameters], ' ') AS proargtypes,
    CAST(NULL AS BIGINT[]) AS proallargtypes,
    ['i' FOR one IN parameters] AS proargmodes,
    parameters AS proargnames,
    CAST(NULL AS VARCHAR) AS proargdefaults,
    function_name AS prosrc,
    CAST(NULL AS VARCHAR) AS probin,
    CAST(NULL AS VARCHAR) AS prosqlbody,
    CAST(NULL AS VARCHAR[]) AS proconfig,
    CAST(NULL AS VARCHAR[]) AS proacl,
    comment
FROM duckdb_functions()
WHERE database_name = ${database} AND NOT internal AND function_type IN ('macro', 'table_macro');

CREATE VIEW ${pg}.main.pg_description AS
SELECT table_oid AS objoid, 1259 AS classoid, 0 AS objsubid, comment AS description
FROM duckdb_tables()
WHERE database_name = ${database} AND comment IS NOT NULL
UNION ALL
SELECT view_oid, 1259, 0, comment
FROM duckdb_views()
WHERE database_name = ${database} AND comment IS NOT NULL
UNION ALL
SELECT table_oid, 1259, column_index, comment
FROM duckdb_columns()
WHERE database_name = ${database} AND comment IS NOT NULL
UNION ALL
SELECT oid, 2615, 0, comment
FROM duckdb_schemas()
WHERE database_name = ${database} AND comment IS NOT NULL
UNION ALL
SELECT oid, 1255, 0, comment
FROM ${pg}.main.pg_proc
WHERE comment IS NOT NULL;

CREATE VIEW ${pg}.main.pg_tables AS
SELECT
    schema_name AS schemaname,
    table_name AS tablename,
    'morec' AS tableowner,
    CAST(NULL AS VARCHAR) AS tablespace,
    index_count > 0 AS hasindexes,
    false AS hasrules,
    false AS hastriggers,
    false AS rowsecurity
FROM duckdb_tables()
WHERE database_name = ${database};

CREATE VIEW ${pg}.main.pg_views AS
SELECT
    schema_name AS schemaname,
    view_name AS viewname,
    'morec' AS viewowner,
    '' AS definition
FROM duckdb_views()
WHERE database_name = ${database} AND NOT internal;

CREATE VIEW ${pg}.main.pg_database AS
SELECT
    5 AS oid,
    ${name} AS datname,
    10 AS datdba,
    6 AS encoding,
    'c' AS datlocprovider,
    false AS datistemplate,
    true AS datallowconn,
    -1 AS datconnlimit,
    1663 AS dattablespace,
    'C' AS datcollate,
    'C' AS datctype,
    CAST(NULL AS VARCHAR) AS daticulocale,
    CAST(NULL AS VARCHAR) AS daticurules,
    CAST(NULL AS VARCHAR[]) AS datacl;

CREATE VIEW ${pg}.main.pg_roles AS
SELECT
    10 AS oid,
    'morec' AS rolname,
    false AS rolsuper,
    true AS rolinherit,
    false AS rolcreaterole,
    false AS rolcreatedb,
    true AS rolcanlogin,
    false AS rolreplication,
    false AS rolbypassrls,
    -1 AS rolconnlimit,
    CAST(NULL AS TIMESTAMP) AS rolvaliduntil,
    CAST(NULL AS VARCHAR[]) AS rolconfig;

CREATE VIEW ${pg}.main.pg_user AS
SELECT 'morec' AS usename, 10 AS usesysid, false AS usecreatedb, false AS usesuper;

CREATE VIEW ${pg}.main.pg_am AS
SELECT * FROM (VALUES (2, 'heap', 't'), (403, 'btree', 'i')) AS t(oid, amname, amtype);

CREATE VIEW ${pg}.main.pg_language AS
SELECT
    14 AS oid,
    2612 AS tableoid,
    'sql' AS lanname,
    10 AS lanowner,
    false AS lanispl,
    true AS lanpltrusted,
    0 AS lanplcallfoid,
    0 AS laninline,
    0 AS lanvalidator,
    CAST(NULL AS VARCHAR[]) AS lanacl;

CREATE VIEW ${pg}.main.pg_tablespace AS
SELECT
    1663 AS oid,
    'pg_default' AS spcname,
    10 AS spcowner,
    CAST(NULL AS VARCHAR[]) AS spcacl,
    CAST(NULL AS VARCHAR[]) AS spcoptions;
