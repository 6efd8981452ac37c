-- The keys with which vendors' software registers benefits. secret_hash: SHA-256 of the key, which is kept nowhere.
-- enti: the codes of the enti that it may act for, separated by spaces; empty for all of the e-service.
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    secret_hash BLOB NOT NULL UNIQUE,
    enti TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;

-- The answers to requests that carried an idempotency key, and the SHA-256 of what was asked.
-- refused: 1 when a single record was refused, else 0. records: how many there were.
CREATE TABLE api_answer (
    api_key_id INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    refused INTEGER NOT NULL,
    records INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, idempotency_key)
) STRICT;
CREATE INDEX api_answer_created ON api_answer (created_ms);

-- By what staff and vendors look for a benefit, and for its flows.
CREATE INDEX prestazione_label ON prestazione (eservice_id, label);
CREATE INDEX flusso_prestazione ON flusso (eservice_id, prestazione_id);
