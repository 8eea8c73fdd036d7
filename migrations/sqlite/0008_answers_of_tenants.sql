-- Answers are of tenants and of the platform as well, which is the tenant of its log, so that nothing is referred to. store
-- '': no store's. status, etag and answer: as they were given; what cannot be given again says so.
CREATE TABLE answers_of_all (
    tenant TEXT NOT NULL,
    store TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    request BLOB NOT NULL CHECK (length(request) = 32),
    status INTEGER NOT NULL,
    etag TEXT,
    answer BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, store, key)
) STRICT, WITHOUT ROWID;

INSERT INTO answers_of_all SELECT tenant, store, key, request, 200, NULL, answer, at FROM answers;

DROP TABLE answers;

ALTER TABLE answers_of_all RENAME TO answers;

CREATE INDEX answers_by_time ON answers (at);
