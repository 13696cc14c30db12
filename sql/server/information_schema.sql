-- What the standard's information schema shows of the warehouse alone.
CREATE SCHEMA ${pg}.information;

CREATE VIEW ${pg}.information.schemata AS
SELECT
    ${name} AS catalog_name,
    nspname AS schema_name,
    'morec' AS schema_owner
FROM ${pg}.main.pg_namespace;

CREATE VIEW ${pg}.information.tables AS
SELECT * REPLACE (${name} AS table_catalog)
FROM information_schema.tables
WHERE table_catalog = ${database};

CREATE VIEW ${pg}.information.columns AS
SELECT * REPLACE (
    ${name} AS table_catalog,
    ${pg}.main.format_type(${pg}.main.type_oid(data_type), -1) AS data_type
),
    CASE ${pg}.main.type_oid(data_type)
        WHEN 114 THEN 'json'
        ELSE (
            SELECT max(t.typname)
            FROM ${pg}.main.pg_type AS t
            WHERE t.oid = ${pg}.main.type_oid(data_type)
        )
    END AS udt_name
FROM information_schema.columns
WHERE table_catalog = ${database};

CREATE VIEW ${pg}.information.views AS
SELECT
    ${name} AS table_catalog,
    table_schema,
    table_name,
    '' AS view_definition,
    'NONE' AS check_option,
    'NO' AS is_updatable
FROM information_schema.tables
WHERE table_catalog = ${database} AND table_type = 'VIEW';

CREATE VIEW ${pg}.information.table_constraints AS
SELECT * FROM information_schema.table_constraints WHERE constraint_catalog = ${database};

CREATE VIEW ${pg}.information.key_column_usage AS
SELECT * FROM information_schema.key_column_usage WHERE constraint_catalog = ${database};

CREATE VIEW ${pg}.information.referential_constraints AS
SELECT * FROM information_schema.referential_constraints WHERE constraint_catalog = ${database};

CREATE VIEW ${pg}.information.routines AS
SELECT
    ${name} AS specific_catalog,
    n.nspname AS specific_schema,
    p.proname || '_' || p.oid AS specific_name,
    ${name} AS routine_catalog,
    n.nspname AS routine_schema,
    p.proname AS routine_name,
    'FUNCTION' AS routine_type,
    CASE WHEN p.proretset THEN 'record' ELSE 'text' END AS data_type,
    'SQL' AS routine_body
FROM ${pg}.main.pg_proc AS p
JOIN ${pg}.main.pg_namespace AS n ON n.oid = p.pronamespace;

CREATE VIEW ${pg}.information.parameters AS
SELECT
    ${name} AS specific_catalog,
    n.nspname AS specific_schema,
    p.proname || '_' || p.oid AS specific_name,
    place AS ordinal_position,
    'IN' AS parameter_mode,
    p.proargnames[place] AS parameter_name,
    'text' AS data_type
FROM ${pg}.main.pg_proc AS p
JOIN ${pg}.main.pg_namespace AS n ON n.oid = p.pronamespace,
    unnest(range(1, len(p.proargnames) + 1)) AS u(place);
