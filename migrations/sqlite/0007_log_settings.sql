-- A JSON object: how the tenant's decisions are recorded, where it is not as configured.
ALTER TABLE tenants ADD COLUMN decisions TEXT NOT NULL DEFAULT '{}';
