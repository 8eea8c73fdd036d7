-- What a write was answered that came with an idempotency key, and how far an import has come; written in the
-- transaction of the write. key: the hash of the operation and the client's key; request: the hash of the body.
CREATE TABLE answers (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    request BLOB NOT NULL CHECK (length(request) = 32),
    answer BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, key),
    FOREIGN KEY (tenant, store) REFERENCES stores (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_time ON answers (at);
