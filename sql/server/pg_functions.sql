-- PostgreSQL's functions that clients call when they read its catalogue. Tables have names with _
-- in them: an argument may be a column of a table that the client calls c.
CREATE MACRO ${pg}.main.format_type(kind, modifier) AS (
    SELECT
        max(
            CASE
                WHEN _t.typname = 'numeric' AND modifier > 4
                THEN 'numeric(' || ((modifier - 4) >> 16) || ',' || ((modifier - 4) & 65535) || ')'
                ELSE _t.display
            END
        )
    FROM ${pg}.main.pg_type AS _t
    WHERE _t.oid = kind
);
CREATE MACRO ${pg}.main.regclass_name(number) AS coalesce(
    (SELECT max(_c.relname) FROM ${pg}.main.pg_class AS _c WHERE _c.oid = number),
    CASE CAST(number AS BIGINT)
        WHEN 1259 THEN 'pg_class'
        WHEN 1255 THEN 'pg_proc'
        WHEN 2615 THEN 'pg_namespace'
        ELSE CAST(number AS VARCHAR)
    END
);
-- a name that may be quoted and have its schema before it
CREATE MACRO ${pg}.main.to_regclass(name) AS coalesce(
    (
        SELECT max(_c.oid)
        FROM ${pg}.main.pg_class AS _c
        JOIN ${pg}.main.pg_namespace AS _n ON _n.oid = _c.relnamespace
        WHERE replace(name, '"', '') IN (_c.relname, _n.nspname || '.' || _c.relname)
    ),
    CASE replace(name, 'pg_catalog.', '')
        WHEN 'pg_class' THEN 1259
        WHEN 'pg_proc' THEN 1255
        WHEN 'pg_namespace' THEN 2615
        WHEN 'pg_type' THEN 1247
        WHEN 'pg_constraint' THEN 2606
        WHEN 'pg_attrdef' THEN 2604
        WHEN 'pg_database' THEN 1262
        ELSE try_cast(name AS UINTEGER)
    END
);
CREATE MACRO ${pg}.main.to_regtype(name) AS (
    SELECT max(_t.oid)
    FROM ${pg}.main.pg_type AS _t
    WHERE name IN (_t.typname, _t.display)
);
CREATE MACRO ${pg}.main.to_regnamespace(name) AS (
    SELECT max(_n.oid)
    FROM ${pg}.main.pg_namespace AS _n
    WHERE replace(name, '"', '') = _n.nspname
);
CREATE MACRO ${pg}.main.to_regproc(name) AS (
    SELECT max(_p.oid)
    FROM ${pg}.main.pg_proc AS _p
    JOIN ${pg}.main.pg_namespace AS _n ON _n.oid = _p.pronamespace
    WHERE replace(name, '"', '') IN (_p.proname, _n.nspname || '.' || _p.proname)
);
CREATE MACRO ${pg}.main.pg_get_userbyid(number) AS 'morec';
CREATE MACRO ${pg}.main.pg_table_is_visible(number) AS coalesce(
    (
        SELECT bool_or(_n.nspname = 'main')
        FROM ${pg}.main.pg_class AS _c
        JOIN ${pg}.main.pg_namespace AS _n ON _n.oid = _c.relnamespace
        WHERE _c.oid = number
    ),
    false
);
CREATE MACRO ${pg}.main.pg_function_is_visible(number) AS coalesce(
    (
        SELECT bool_or(_n.nspname = 'main')
        FROM ${pg}.main.pg_proc AS _p
        JOIN ${pg}.main.pg_namespace AS _n ON _n.oid = _p.pronamespace
        WHERE _p.oid = number
    ),
    false
);
CREATE MACRO ${pg}.main.pg_type_is_visible(number) AS true;
CREATE MACRO ${pg}.main.pg_get_expr(written, relation) AS written,
(written, relation, pretty) AS written;
CREATE MACRO ${pg}.main.pg_get_indexdef(number) AS (
    SELECT max(_k.definition) FROM ${pg}.main.keys AS _k WHERE _k.indexrelid = number
),
(number, place, pretty) AS (
    SELECT max(_a.attname)
    FROM ${pg}.main.pg_attribute AS _a
    WHERE _a.attrelid = number AND _a.attnum = place
);
CREATE MACRO ${pg}.main.pg_get_constraintdef(number) AS (
    SELECT max(_c.definition) FROM ${pg}.main.pg_constraint AS _c WHERE _c.oid = number
),
(number, pretty) AS (
    SELECT max(_c.definition) FROM ${pg}.main.pg_constraint AS _c WHERE _c.oid = number
);
CREATE MACRO ${pg}.main.pg_get_viewdef(number) AS '',
(number, pretty) AS '';
CREATE MACRO ${pg}.main.pg_get_partkeydef(number) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_get_function_result(number) AS (
    SELECT max(CASE WHEN _p.proretset THEN 'TABLE' ELSE 'text' END)
    FROM ${pg}.main.pg_proc AS _p
    WHERE _p.oid = number
);
CREATE MACRO ${pg}.main.pg_get_function_arguments(number) AS (
    SELECT max(array_to_string(_p.proargnames, ', '))
    FROM ${pg}.main.pg_proc AS _p
    WHERE _p.oid = number
);
CREATE MACRO ${pg}.main.pg_get_function_identity_arguments(number) AS (
    SELECT max(array_to_string(_p.proargnames, ', '))
    FROM ${pg}.main.pg_proc AS _p
    WHERE _p.oid = number
);
CREATE MACRO ${pg}.main.pg_get_function_sqlbody(number) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_get_functiondef(number) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_get_statisticsobjdef_columns(number) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_get_serial_sequence(relation, name) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.obj_description(number) AS (
    SELECT max(_d.description)
    FROM ${pg}.main.pg_description AS _d
    WHERE _d.objoid = number AND _d.objsubid = 0
),
(number, catalogue) AS (
    SELECT max(_d.description)
    FROM ${pg}.main.pg_description AS _d
    WHERE _d.objoid = number AND _d.objsubid = 0
);
CREATE MACRO ${pg}.main.col_description(number, place) AS (
    SELECT max(_d.description)
    FROM ${pg}.main.pg_description AS _d
    WHERE _d.objoid = number AND _d.objsubid = place
);
CREATE MACRO ${pg}.main.shobj_description(number, catalogue) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_relation_size(number) AS 0,
(number, fork) AS 0;
CREATE MACRO ${pg}.main.pg_table_size(number) AS 0;
CREATE MACRO ${pg}.main.pg_indexes_size(number) AS 0;
CREATE MACRO ${pg}.main.pg_total_relation_size(number) AS 0;
CREATE MACRO ${pg}.main.pg_database_size(number) AS 0;
CREATE MACRO ${pg}.main.pg_tablespace_size(number) AS 0;
CREATE MACRO ${pg}.main.pg_size_pretty(bytes) AS bytes || ' bytes';
CREATE MACRO ${pg}.main.pg_stat_get_numscans(number) AS 0;
CREATE MACRO ${pg}.main.pg_encoding_to_char(number) AS 'UTF8';
CREATE MACRO ${pg}.main.pg_char_to_encoding(name) AS 6;
CREATE MACRO ${pg}.main.getdatabaseencoding() AS 'UTF8';
CREATE MACRO ${pg}.main.pg_statistics_obj_is_visible(number) AS true;
CREATE MACRO ${pg}.main.pg_get_ruledef(number) AS CAST(NULL AS VARCHAR),
(number, pretty) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.pg_get_triggerdef(number) AS CAST(NULL AS VARCHAR),
(number, pretty) AS CAST(NULL AS VARCHAR);
CREATE MACRO ${pg}.main.array_remove(list_given, value_given)
AS list_filter(list_given, lambda one: one IS DISTINCT FROM value_given);
CREATE MACRO ${pg}.main.pg_is_in_recovery() AS false;
CREATE MACRO ${pg}.main.pg_relation_is_publishable(number) AS false;
CREATE MACRO ${pg}.main.pg_tablespace_location(number) AS '';
CREATE MACRO ${pg}.main.quote_ident(name) AS CASE
    WHEN regexp_full_match(name, '[a-z_][a-z0-9_]*') THEN name
    ELSE '"' || replace(name, '"', '""') || '"'
END;
CREATE MACRO ${pg}.main.has_schema_privilege(name, privilege) AS upper(privilege) = 'USAGE',
(grantee, name, privilege) AS upper(privilege) = 'USAGE';
CREATE MACRO ${pg}.main.has_database_privilege(name, privilege) AS upper(privilege) = 'CONNECT',
(grantee, name, privilege) AS upper(privilege) = 'CONNECT';
CREATE MACRO ${pg}.main.has_table_privilege(name, privilege) AS upper(privilege) = 'SELECT',
(grantee, name, privilege) AS upper(privilege) = 'SELECT';
CREATE MACRO ${pg}.main.has_any_column_privilege(name, privilege)
AS upper(privilege) = 'SELECT',
(grantee, name, privilege) AS upper(privilege) = 'SELECT';
CREATE MACRO ${pg}.main.has_column_privilege(name, attribute, privilege)
AS upper(privilege) = 'SELECT',
(grantee, name, attribute, privilege) AS upper(privilege) = 'SELECT';
CREATE MACRO ${pg}.main.has_function_privilege(name, privilege) AS true,
(grantee, name, privilege) AS true;
CREATE MACRO ${pg}.main.pg_has_role(name, privilege) AS true,
(grantee, name, privilege) AS true;
CREATE MACRO ${pg}.main._pg_expandarray(places) AS unnest(
    [{'x': places[place], 'n': place} FOR place IN range(1, len(places) + 1)]
);
-- array_upper as of lists of one dimension
CREATE MACRO ${pg}.main.array_upper(list_given, dimension) AS nullif(len(list_given), 0);
CREATE MACRO ${pg}.main.array_lower(list_given, dimension) AS CASE WHEN len(list_given) > 0 THEN 1 END;
