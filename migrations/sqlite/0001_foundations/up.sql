-- The tables of waas-comuni. The two sets of migrations (sqlite, postgres) give the same tables and columns.
--
-- Instants are milliseconds since the epoch, in UTC. A day is a number such as 20260131, and is Europe/Rome's.
-- There are foreign keys between small tables only: on a table of millions of rows each costs a lookup per insert,
-- and on PostgreSQL a lock on the row of eservice, for which calls and imports would wait on each other.
--
-- WITHOUT ROWID is for small rows found by their key: rows of more than a few hundred bytes make such a tree deep.

-- The e-services of the configuration, by name. last_ts is the sequencer: the timestamp of the last flow published.
CREATE TABLE eservice (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_ts INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The bodies that grant benefits, under each name with which a flow of theirs was published.
CREATE TABLE ente (
    id INTEGER PRIMARY KEY,
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    codice TEXT NOT NULL,
    denominazione TEXT NOT NULL,
    UNIQUE (eservice_id, codice, denominazione)
) STRICT;

-- The registry of benefits. id is the timestamp of a benefit's first flow.
-- tipo: 1 PS_PSA_SINA, 2 SINBA. stato: 1 active, 2 withdrawn. flusso_ts: the flow in force, the last one published.
CREATE TABLE prestazione (
    eservice_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    codice_ente TEXT NOT NULL,
    tipo INTEGER NOT NULL,
    identity_hash BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    person TEXT NOT NULL,
    label TEXT NOT NULL,
    stato INTEGER NOT NULL,
    flusso_ts INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX prestazione_identity ON prestazione (eservice_id, codice_ente, identity_hash);
CREATE INDEX prestazione_person ON prestazione (eservice_id, person);

-- What was published, for ever as it was served. ts is the cursor.
-- operazione: I, C, or null for SINBA. payload_format: 1 plain XML.
CREATE TABLE flusso (
    eservice_id INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    id_flusso TEXT NOT NULL,
    ente_id INTEGER NOT NULL,
    tipo INTEGER NOT NULL,
    operazione TEXT,
    prestazione_id INTEGER NOT NULL,
    payload_format INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (eservice_id, ts)
) STRICT;
CREATE UNIQUE INDEX flusso_id_flusso ON flusso (eservice_id, id_flusso);

-- The last number given to a flow of a day.
CREATE TABLE progressivo (
    eservice_id INTEGER NOT NULL,
    codice_ente TEXT NOT NULL,
    tipo INTEGER NOT NULL,
    giorno INTEGER NOT NULL,
    ultimo INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, codice_ente, tipo, giorno)
) STRICT, WITHOUT ROWID;

-- Outcomes, each once, in the order of arrival. flusso_ts: the flow, null when it is not one of ours.
-- altro: what else the outcome carried, as a JSON object, or null.
CREATE TABLE esito (
    id INTEGER PRIMARY KEY,
    eservice_id INTEGER NOT NULL,
    id_flusso TEXT NOT NULL,
    flusso_ts INTEGER,
    ts_flusso_ms INTEGER NOT NULL,
    ts_acquisizione_ms INTEGER NOT NULL,
    tipo TEXT NOT NULL,
    codice_esito TEXT NOT NULL,
    descrizione TEXT,
    id_acquisizione_siuss TEXT,
    altro TEXT,
    digest BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX esito_digest ON esito (eservice_id, digest);
CREATE INDEX esito_id_flusso ON esito (eservice_id, id_flusso, id);

-- The logs of calls: one per e-service, with its id, and log 0 for the calls outside any. size: how many entries.
CREATE TABLE call_log_head (
    log_id INTEGER NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO call_log_head (log_id, size) VALUES (0, 0);

-- The calls. entry_index runs from 0 without gaps in each log.
CREATE TABLE call_entry (
    log_id INTEGER NOT NULL,
    entry_index INTEGER NOT NULL,
    instant_ms INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    query TEXT,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    client_ip TEXT,
    client_id TEXT,
    consumer_id TEXT,
    purpose_id TEXT,
    token_id TEXT,
    kid TEXT,
    producer_id TEXT,
    pdnd_eservice_id TEXT,
    descriptor_id TEXT,
    voucher_check TEXT,
    since TEXT,
    page_limit INTEGER,
    first_ts INTEGER,
    last_ts INTEGER,
    item_count INTEGER,
    flows_digest BLOB,
    duration_us INTEGER NOT NULL,
    bytes INTEGER,
    PRIMARY KEY (log_id, entry_index)
) STRICT;
CREATE INDEX call_entry_instant ON call_entry (instant_ms, log_id, entry_index);

-- Calls counted against the daily thresholds; consumer_id '' is the total.
CREATE TABLE daily_calls (
    eservice_id INTEGER NOT NULL,
    giorno INTEGER NOT NULL,
    consumer_id TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, giorno, consumer_id)
) STRICT, WITHOUT ROWID;

-- The last good set of keys of each issuer, so that a restart does without the network.
CREATE TABLE jwks_cache (
    url TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    fetched_ms INTEGER NOT NULL
) STRICT;
