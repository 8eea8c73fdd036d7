-- Noted in steps of a minute; NULL: never used.
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;

-- A JSON object; a limit that it does not name has its default.
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';

-- A deleted tenant keeps its keys and stores as they are, until it is restored or deleted for good.
ALTER TABLE tenants ADD COLUMN deleted_at INTEGER;

-- Since when rows are deleted for good: from here on there is no way back.
ALTER TABLE tenants ADD COLUMN purged_at INTEGER;
ALTER TABLE stores ADD COLUMN purged_at INTEGER;

CREATE INDEX tenants_deleted ON tenants (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX stores_deleted ON stores (deleted_at) WHERE deleted_at IS NOT NULL;
