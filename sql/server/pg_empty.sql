-- Tables of PostgreSQL's catalogue for what a warehouse has not: they are read, and empty.
CREATE TABLE ${pg}.main.pg_inherits (
    inhrelid BIGINT,
    inhparent BIGINT,
    inhseqno INTEGER,
    inhdetachpending BOOLEAN
);
CREATE TABLE ${pg}.main.pg_collation (
    oid BIGINT,
    collname VARCHAR,
    collnamespace BIGINT,
    collcollate VARCHAR,
    collctype VARCHAR,
    collprovider VARCHAR,
    collisdeterministic BOOLEAN,
    colliculocale VARCHAR,
    collencoding INTEGER
);
CREATE TABLE ${pg}.main.pg_enum (
    oid BIGINT,
    enumtypid BIGINT,
    enumsortorder FLOAT,
    enumlabel VARCHAR
);
CREATE TABLE ${pg}.main.pg_range (
    rngtypid UINTEGER,
    rngsubtype UINTEGER,
    rngmultitypid UINTEGER
);
CREATE TABLE ${pg}.main.pg_trigger (
    oid BIGINT,
    tgrelid BIGINT,
    tgparentid BIGINT,
    tgname VARCHAR,
    tgfoid BIGINT,
    tgtype INTEGER,
    tgenabled VARCHAR,
    tgisinternal BOOLEAN,
    tgconstraint BIGINT
);
CREATE TABLE ${pg}.main.pg_policy (
    oid BIGINT,
    polname VARCHAR,
    polrelid BIGINT,
    polcmd VARCHAR,
    polpermissive BOOLEAN,
    polroles BIGINT[],
    polqual VARCHAR,
    polwithcheck VARCHAR
);
CREATE TABLE ${pg}.main.pg_rewrite (
    oid BIGINT,
    rulename VARCHAR,
    ev_class BIGINT,
    ev_type VARCHAR,
    ev_enabled VARCHAR,
    is_instead BOOLEAN
);
CREATE TABLE ${pg}.main.pg_statistic_ext (
    oid BIGINT,
    stxrelid BIGINT,
    stxname VARCHAR,
    stxnamespace BIGINT,
    stxkeys BIGINT[],
    stxkind VARCHAR[],
    stxstattarget INTEGER
);
CREATE TABLE ${pg}.main.pg_publication (
    oid BIGINT,
    pubname VARCHAR,
    pubowner BIGINT,
    puballtables BOOLEAN,
    pubinsert BOOLEAN,
    pubupdate BOOLEAN,
    pubdelete BOOLEAN,
    pubtruncate BOOLEAN,
    pubviaroot BOOLEAN
);
CREATE TABLE ${pg}.main.pg_publication_rel (
    oid BIGINT,
    prpubid BIGINT,
    prrelid BIGINT,
    prqual VARCHAR,
    prattrs BIGINT[]
);
CREATE TABLE ${pg}.main.pg_publication_namespace (oid BIGINT, pnpubid BIGINT, pnnspid BIGINT);
CREATE TABLE ${pg}.main.pg_subscription (
    oid BIGINT,
    subdbid BIGINT,
    subname VARCHAR,
    subowner BIGINT,
    subenabled BOOLEAN,
    subpublications VARCHAR[]
);
CREATE TABLE ${pg}.main.pg_foreign_table (ftrelid BIGINT, ftserver BIGINT, ftoptions VARCHAR[]);
CREATE TABLE ${pg}.main.pg_foreign_server (
    oid BIGINT,
    srvname VARCHAR,
    srvfdw BIGINT,
    srvowner BIGINT
);
CREATE TABLE ${pg}.main.pg_foreign_data_wrapper (
    oid BIGINT,
    fdwname VARCHAR,
    fdwowner BIGINT,
    fdwhandler BIGINT,
    fdwvalidator BIGINT,
    fdwacl VARCHAR[],
    fdwoptions VARCHAR[]
);
CREATE TABLE ${pg}.main.pg_extension (
    oid BIGINT,
    extname VARCHAR,
    extnamespace BIGINT,
    extversion VARCHAR
);
CREATE TABLE ${pg}.main.pg_sequence (
    seqrelid BIGINT,
    seqtypid BIGINT,
    seqstart BIGINT,
    seqincrement BIGINT,
    seqmax BIGINT,
    seqmin BIGINT,
    seqcache BIGINT,
    seqcycle BOOLEAN
);
CREATE TABLE ${pg}.main.pg_depend (
    classid BIGINT,
    objid BIGINT,
    objsubid INTEGER,
    refclassid BIGINT,
    refobjid BIGINT,
    refobjsubid INTEGER,
    deptype VARCHAR
);
CREATE TABLE ${pg}.main.pg_shdescription (objoid BIGINT, classoid BIGINT, description VARCHAR);
CREATE TABLE ${pg}.main.pg_event_trigger (
    oid BIGINT,
    evtname VARCHAR,
    evtevent VARCHAR,
    evtowner BIGINT,
    evtfoid BIGINT,
    evtenabled VARCHAR,
    evttags VARCHAR[]
);
CREATE TABLE ${pg}.main.pg_auth_members (
    roleid BIGINT,
    member BIGINT,
    grantor BIGINT,
    admin_option BOOLEAN
);
CREATE TABLE ${pg}.main.pg_partitioned_table (
    partrelid BIGINT,
    partstrat VARCHAR,
    partnatts INTEGER,
    partattrs BIGINT[]
);
CREATE TABLE ${pg}.main.pg_matviews (
    schemaname VARCHAR,
    matviewname VARCHAR,
    matviewowner VARCHAR,
    hasindexes BOOLEAN,
    ispopulated BOOLEAN,
    definition VARCHAR
);
CREATE TABLE ${pg}.main.pg_stat_activity (
    datid BIGINT,
    datname VARCHAR,
    pid INTEGER,
    usename VARCHAR,
    application_name VARCHAR,
    state VARCHAR,
    query VARCHAR
);
CREATE TABLE ${pg}.main.pg_stat_user_tables (
    relid BIGINT,
    schemaname VARCHAR,
    relname VARCHAR,
    n_live_tup BIGINT
);
CREATE TABLE ${pg}.main.pg_locks (
    locktype VARCHAR,
    database BIGINT,
    relation BIGINT,
    pid INTEGER,
    mode VARCHAR,
    granted BOOLEAN
);
CREATE TABLE ${pg}.main.pg_opclass (
    oid BIGINT,
    opcname VARCHAR,
    opcmethod BIGINT,
    opcdefault BOOLEAN,
    opcintype BIGINT,
    opckeytype BIGINT,
    opcnamespace BIGINT
);
CREATE TABLE ${pg}.main.pg_operator (
    oid BIGINT,
    oprname VARCHAR,
    oprnamespace BIGINT,
    oprowner BIGINT,
    oprkind VARCHAR,
    oprleft BIGINT,
    oprright BIGINT,
    oprresult BIGINT,
    oprcode BIGINT
);
CREATE TABLE ${pg}.main.pg_aggregate (aggfnoid BIGINT, aggkind VARCHAR);
CREATE TABLE ${pg}.main.pg_cast (
    oid BIGINT,
    castsource BIGINT,
    casttarget BIGINT,
    castfunc BIGINT,
    castcontext VARCHAR,
    castmethod VARCHAR
);
CREATE TABLE ${pg}.main.pg_conversion (
    oid BIGINT,
    conname VARCHAR,
    connamespace BIGINT,
    conowner BIGINT,
    conforencoding INTEGER,
    contoencoding INTEGER,
    conproc BIGINT,
    condefault BOOLEAN
);
CREATE TABLE ${pg}.main.pg_largeobject_metadata (oid BIGINT, lomowner BIGINT);
CREATE TABLE ${pg}.main.pg_default_acl (
    oid BIGINT,
    defaclrole BIGINT,
    defaclnamespace BIGINT,
    defaclobjtype VARCHAR,
    defaclacl VARCHAR[]
);
CREATE TABLE ${pg}.main.pg_ts_config (oid BIGINT, cfgname VARCHAR, cfgnamespace BIGINT);
CREATE TABLE ${pg}.main.pg_ts_dict (oid BIGINT, dictname VARCHAR, dictnamespace BIGINT);
CREATE TABLE ${pg}.main.pg_indexes (
    schemaname VARCHAR,
    tablename VARCHAR,
    indexname VARCHAR,
    tablespace VARCHAR,
    indexdef VARCHAR
);
CREATE TABLE ${pg}.main.settings_of_postgres (
    name VARCHAR,
    setting VARCHAR,
    unit VARCHAR,
    category VARCHAR,
    short_desc VARCHAR,
    extra_desc VARCHAR,
    context VARCHAR,
    vartype VARCHAR,
    source VARCHAR,
    min_val VARCHAR,
    max_val VARCHAR,
    enumvals VARCHAR[],
    boot_val VARCHAR,
    reset_val VARCHAR,
    sourcefile VARCHAR,
    sourceline INTEGER,
    pending_restart BOOLEAN
);
CREATE TABLE ${pg}.main.pg_db_role_setting (
    setdatabase BIGINT,
    setrole BIGINT,
    setconfig VARCHAR[]
);
