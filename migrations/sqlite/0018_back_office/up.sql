-- Outcomes as staff read them: those with which INPS accepted a flow, and those about flows that are not ours, by when
-- they arrived.
CREATE INDEX esito_accepted ON esito (eservice_id, received_ms, id) WHERE codice_esito = 'OK' AND flusso_ts IS NOT NULL;
CREATE INDEX esito_unknown ON esito (eservice_id, received_ms, id) WHERE flusso_ts IS NULL;

-- The entries of the log by whom they are about. Few calls say it, every action does.
CREATE INDEX call_entry_user ON call_entry (evidence ->> 'user_id', instant_ms, log_id, entry_index)
    WHERE evidence IS NOT NULL;
