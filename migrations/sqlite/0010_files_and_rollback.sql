-- The files that a release's schema and its relation model came from.
ALTER TABLE releases ADD COLUMN schema_file TEXT;
ALTER TABLE releases ADD COLUMN model_file TEXT;

-- The release that a rollback from this one goes back to: the one that was active when this one became so. An earlier
-- release that is activated again keeps its own, so that a second rollback goes one further back.
ALTER TABLE releases ADD COLUMN previous TEXT;

-- Until now: what was active before the release became so for the first time. `before` is of the row that has the minimum.
UPDATE releases SET previous = first.before
FROM (
    SELECT tenant, store, release, before, min(revision)
    FROM (
        SELECT tenant, store, revision, release,
            lag(release) OVER (PARTITION BY tenant, store ORDER BY revision) AS before
        FROM revisions
    )
    WHERE release IS NOT NULL AND release IS NOT before
    GROUP BY tenant, store, release
) AS first
WHERE first.tenant = releases.tenant AND first.store = releases.store AND first.release = releases.id;
