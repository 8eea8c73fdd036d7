-- Finds the tuples that a subject had, as `tuples_by_subject` finds those that it has.
CREATE INDEX tuple_changes_ended_by_subject ON tuple_changes (
    store_number, subject_type, subject_id, subject_relation, relation, object_type, object_id, created_revision
) WHERE op = 0;

-- The last change that was trimmed, for each type of objects: who has not read so far has missed something of that type.
-- at: the latest time of those that were trimmed.
CREATE TABLE tuple_changes_trimmed (
    store_number INTEGER NOT NULL,
    object_type TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (store_number, object_type)
) STRICT, WITHOUT ROWID;

-- Rows that only revisions before this one need may have been deleted.
ALTER TABLE stores ADD COLUMN forgotten_revision INTEGER NOT NULL DEFAULT 0;
