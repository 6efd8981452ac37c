DROP INDEX prestazione_identity;
CREATE UNIQUE INDEX prestazione_identity ON prestazione (eservice_id, codice_ente, identity_hash);
CREATE INDEX prestazione_person ON prestazione (eservice_id, person);
