-- Staff look for benefits by their code.
CREATE INDEX prestazione_codice ON prestazione (eservice_id, codice, id) WHERE codice IS NOT NULL;
