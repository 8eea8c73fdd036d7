-- A store's number, in front of every row about tuples: two ids as text would be half of such a row. Given
-- with the first tuple of a store.
CREATE TABLE store_numbers (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    UNIQUE (tenant, store),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id)
) STRICT;

-- What is true now. subject_relation '': the subject is an object itself, not a set of subjects of it.
-- condition: a name, context: a JSON object. As for entities, only a transaction that holds the store's row
-- writes here.
CREATE TABLE tuples (
    store_number INTEGER NOT NULL,
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_relation TEXT NOT NULL DEFAULT '',
    condition TEXT,
    context TEXT,
    expires_at INTEGER,
    created_revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (store_number, object_type, object_id, relation, subject_type, subject_id, subject_relation),
    CHECK ((condition IS NULL) = (context IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX tuples_by_subject ON tuples (
    store_number, subject_type, subject_id, subject_relation, relation, object_type, object_id
);

-- Every change of a tuple, in the order of the write; rows are only ever added. op 1: the tuple was written,
-- 0: it was deleted, and created_revision tells since when it had been there. A tuple put over another one is
-- a delete and a write. The tuples of a revision are those of `tuples` that it or one before created, and the
-- deleted ones that it lies between.
CREATE TABLE tuple_changes (
    store_number INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    op INTEGER NOT NULL CHECK (op IN (0, 1)),
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_relation TEXT NOT NULL DEFAULT '',
    condition TEXT,
    context TEXT,
    expires_at INTEGER,
    created_revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (store_number, revision, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX tuple_changes_by_type ON tuple_changes (store_number, object_type, revision, ordinal);

CREATE INDEX tuple_changes_ended ON tuple_changes (
    store_number, object_type, object_id, relation, subject_type, subject_id, subject_relation, created_revision
) WHERE op = 0;

-- Finds where the changes since a time begin.
CREATE INDEX revisions_by_time ON revisions (tenant, store, at);

CREATE TABLE relation_models (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    id TEXT NOT NULL,
    syntax TEXT NOT NULL CHECK (syntax IN ('dsl', 'json')),
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, id),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id)
) STRICT;

-- The id of a relation model of the same store.
ALTER TABLE releases ADD COLUMN model TEXT;

-- text: JSON, opaque here.
CREATE TABLE assertions (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    model TEXT NOT NULL,
    text TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, model),
    FOREIGN KEY (tenant, store, model) REFERENCES relation_models (tenant, store, id)
) STRICT;
