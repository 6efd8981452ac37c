-- Payloads that are not needed any longer: the flow keeps its place, its name and its outcomes, and is served no more.
-- eliminato_ms: when the payload was dropped, which payload_format 0 says too; of a benefit, that of the flow in force.
ALTER TABLE flusso ADD COLUMN eliminato_ms INTEGER;
ALTER TABLE prestazione ADD COLUMN eliminato_ms INTEGER;
-- What a cursor sees: a page costs the same however many flows before it were dropped.
CREATE INDEX flusso_served ON flusso (eservice_id, ts) WHERE eliminato_ms IS NULL;
