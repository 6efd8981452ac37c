-- When it was last announced that payloads of the e-service's flows will be dropped, in milliseconds since the epoch.
-- Whoever keeps a page for a moment looks here first.
ALTER TABLE eservice ADD COLUMN drops_ms BIGINT;
