-- Outcomes as staff read them: those with which INPS accepted a flow, and those about flows that are not ours, by when
-- they arrived.
CREATE INDEX esito_accepted ON esito (eservice_id, received_ms, id) WHERE codice_esito = 'OK' AND flusso_ts IS NOT NULL;
CREATE INDEX esito_unknown ON esito (eservice_id, received_ms, id) WHERE flusso_ts IS NULL;

-- The entries of the log by whom they are about. Few calls say it, every action does. The user is the first member of
-- the object: what stands between the third and the fourth quotation mark is the name, or its beginning.
CREATE INDEX call_entry_user ON call_entry (split_part(evidence, '"', 4), instant_ms, log_id, entry_index)
    WHERE evidence IS NOT NULL;

-- The verification of the log that was last started from the console: at most one row, which an instance that starts
-- another takes over. eservice: the e-service whose log it reads, null for every log. entries: how many there are to read,
-- checked: how many were. beat_ms: when it last said that it goes on. ended_ms: null while it does. report: what was
-- found, as JSON; null when it could not be done.
CREATE TABLE verifica (
    id BIGINT PRIMARY KEY,
    run BIGINT NOT NULL,
    eservice TEXT,
    started_by TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    checked BIGINT NOT NULL,
    beat_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    report TEXT
);
