DROP TABLE verifica;
ALTER TABLE call_checkpoint DROP COLUMN frontier;
DROP TABLE rifiuto;
CREATE INDEX esito_refused ON esito (eservice_id, flusso_ts, id) WHERE codice_esito <> 'OK';
