-- The flows that INPS ever refused. aperto: 1 where something may be left to do about one, or where it is in force and
-- refused; 0 where neither can become so but by another outcome. Written with each outcome and each flow of their
-- benefits: whoever looks for what is refused need not go through all that ever was.
CREATE TABLE rifiuto (
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    flusso_ts INTEGER NOT NULL,
    prestazione_id INTEGER NOT NULL,
    aperto INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, flusso_ts)
) STRICT, WITHOUT ROWID;
CREATE INDEX rifiuto_prestazione ON rifiuto (eservice_id, prestazione_id);
CREATE INDEX rifiuto_aperto ON rifiuto (eservice_id, flusso_ts) WHERE aperto = 1;

-- What is there already: too many are taken for open rather than too few.
INSERT INTO rifiuto (eservice_id, flusso_ts, prestazione_id, aperto)
SELECT DISTINCT flusso.eservice_id, flusso.ts, flusso.prestazione_id,
    CASE WHEN prestazione.flusso_ts = flusso.ts OR flusso.annulla_ts IS NOT NULL OR EXISTS (
        SELECT 1 FROM esito AS again WHERE again.eservice_id = esito.eservice_id
            AND again.id_flusso = esito.id_flusso AND again.codice_esito = 'OK'
    ) THEN 1 ELSE 0 END
FROM esito
JOIN flusso ON flusso.eservice_id = esito.eservice_id AND flusso.ts = esito.flusso_ts
JOIN prestazione ON prestazione.eservice_id = flusso.eservice_id AND prestazione.id = flusso.prestazione_id
WHERE esito.codice_esito <> 'OK';
DROP INDEX esito_refused;

-- The roots of the perfect trees that the signed tree consists of, from the largest, 32 bytes each: an entry is proved by
-- those before it and the entries up to the next checkpoint. Null where an earlier version signed.
ALTER TABLE call_checkpoint ADD COLUMN frontier BLOB;

-- Verifications of the log that staff started. eservice: the name; null for every log. entries: how many there were.
-- in_corso: 1 while it goes on, else 0. beat_ms: when the work last showed that it does; checked: how far it was then.
-- report: what was found, a JSON object; null where it ended early.
CREATE TABLE verifica (
    id INTEGER PRIMARY KEY,
    eservice TEXT,
    started_by TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    checked INTEGER NOT NULL,
    in_corso INTEGER NOT NULL,
    beat_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    report TEXT
) STRICT;
-- One at a time, whichever instance does it.
CREATE UNIQUE INDEX verifica_in_corso ON verifica (in_corso) WHERE in_corso = 1;
