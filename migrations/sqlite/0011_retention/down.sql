DROP INDEX flusso_served;
ALTER TABLE prestazione DROP COLUMN eliminato_ms;
ALTER TABLE flusso DROP COLUMN eliminato_ms;
