-- Which calls disclosed a flow: the pages that begin at it or just before it. Everything that is counted stands in the
-- index. Most calls disclose nothing, and are not in it.
CREATE INDEX call_entry_pages ON call_entry (log_id, first_ts, last_ts, entry_index) WHERE first_ts IS NOT NULL;

-- Of a cancellation, the flow that it cancels: the same benefit may have several.
ALTER TABLE flusso ADD COLUMN annulla_ts BIGINT;
UPDATE flusso SET annulla_ts = (
    SELECT max(cancelled.ts) FROM flusso AS cancelled
    WHERE cancelled.eservice_id = flusso.eservice_id AND cancelled.prestazione_id = flusso.prestazione_id
        AND cancelled.operazione = 'I' AND cancelled.ts < flusso.ts
) WHERE operazione = 'C';

-- The flows that INPS ever refused: what it holds of their benefits has to be worked out, of all others it is plain.
CREATE INDEX esito_refused ON esito (eservice_id, flusso_ts, id) WHERE codice_esito <> 'OK';
