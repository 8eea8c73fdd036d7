-- Ids are ULIDs, times are milliseconds since 1970, revisions and release numbers count from 1.
-- Every comparison is BINARY, SQLite's default: ids are equal when their bytes are.

CREATE TABLE tenants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- tenant NULL: a platform key. scopes and stores: JSON arrays, stores NULL: every store.
CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT REFERENCES tenants (id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    prefix TEXT NOT NULL,
    scopes TEXT NOT NULL,
    stores TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_of_tenant ON keys (tenant, id);

CREATE TABLE stores (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    alias TEXT,
    settings TEXT NOT NULL,
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    active_release TEXT,
    latest_release TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- A deleted store gives its alias back.
CREATE UNIQUE INDEX stores_open_alias ON stores (tenant, alias) WHERE deleted_at IS NULL;

-- Releases of one store often share their schema, so its text is kept once, by its content.
CREATE TABLE schemas (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    syntax TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant, store, hash),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id)
) STRICT;

CREATE TABLE releases (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    id TEXT NOT NULL,
    schema_hash BLOB,
    policy_count INTEGER NOT NULL CHECK (policy_count >= 0),
    created_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (tenant, store, number),
    UNIQUE (tenant, store, id),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id),
    FOREIGN KEY (tenant, store, schema_hash) REFERENCES schemas (tenant, store, hash)
) STRICT, WITHOUT ROWID;

-- A policy text holds for the releases first_number to last_number; last_number NULL: for the newest
-- release and, until somebody changes the policy, for those to come.
CREATE TABLE policies (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    first_number INTEGER NOT NULL,
    last_number INTEGER CHECK (last_number >= first_number),
    -- 1: the id was given beside the text; 0: it is the text's own.
    named INTEGER NOT NULL CHECK (named IN (0, 1)),
    file TEXT,
    line INTEGER NOT NULL,
    line_column INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant, store, policy_id, first_number),
    FOREIGN KEY (tenant, store, first_number) REFERENCES releases (tenant, store, number)
) STRICT, WITHOUT ROWID;

-- One row per commit; release: the active one after it.
CREATE TABLE revisions (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    epoch TEXT NOT NULL,
    release TEXT,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (tenant, store, revision),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id)
) STRICT, WITHOUT ROWID;

-- Live tables hold what is true now, history what was true from created_revision until before
-- deleted_revision. Only a transaction that holds the store's row writes them, so that they need no
-- foreign key of their own.
CREATE TABLE entities (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    type_name TEXT NOT NULL,
    id TEXT NOT NULL,
    attrs TEXT NOT NULL,
    tags TEXT NOT NULL,
    parents TEXT NOT NULL,
    created_revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, type_name, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE entities_history (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    type_name TEXT NOT NULL,
    id TEXT NOT NULL,
    attrs TEXT NOT NULL,
    tags TEXT NOT NULL,
    parents TEXT NOT NULL,
    created_revision INTEGER NOT NULL,
    deleted_revision INTEGER NOT NULL CHECK (deleted_revision > created_revision),
    PRIMARY KEY (tenant, store, type_name, id, created_revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX entities_history_by_end ON entities_history (tenant, store, deleted_revision);

CREATE TABLE links (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    id TEXT NOT NULL,
    template TEXT NOT NULL,
    principal_type TEXT,
    principal_id TEXT,
    resource_type TEXT,
    resource_id TEXT,
    created_revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, id),
    CHECK ((principal_type IS NULL) = (principal_id IS NULL)),
    CHECK ((resource_type IS NULL) = (resource_id IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE links_history (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    id TEXT NOT NULL,
    template TEXT NOT NULL,
    principal_type TEXT,
    principal_id TEXT,
    resource_type TEXT,
    resource_id TEXT,
    created_revision INTEGER NOT NULL,
    deleted_revision INTEGER NOT NULL CHECK (deleted_revision > created_revision),
    PRIMARY KEY (tenant, store, id, created_revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_history_by_end ON links_history (tenant, store, deleted_revision);
