DROP INDEX esito_refused;
ALTER TABLE flusso DROP COLUMN annulla_ts;
DROP INDEX call_entry_pages;
