-- What the store's settings were before the revision that changed them; NULL for every other revision.
ALTER TABLE revisions ADD COLUMN settings_before TEXT;
