-- What the decision log is to be told, in the order of the commits: written in the transaction of what it tells of,
-- deleted once the log has it. log: the tenant in whose log it belongs, or the platform; content: the record, opaque here;
-- ends: a tenant that was deleted for good, whose log goes before this is recorded.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    log TEXT NOT NULL,
    content TEXT NOT NULL,
    ends TEXT
) STRICT;

CREATE INDEX outbox_of_log ON outbox (log, number);
