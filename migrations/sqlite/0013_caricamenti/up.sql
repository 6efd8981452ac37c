-- Files that staff loaded in the console. stato: what becomes of one, as src/caricamenti says. format: csv, xml, json.
-- colonne: the names of a CSV's columns that are no field's, a JSON array. mapping: which fields they contain, a JSON
-- object. run: how often work on it was begun; beat_ms: when that work last showed that it goes on. bytes_read and
-- figures (JSON): how far it is. confirmed_by: who had it published.
CREATE TABLE caricamento (
    id INTEGER PRIMARY KEY,
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    codice_ente TEXT NOT NULL,
    file_name TEXT NOT NULL,
    format TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    stato TEXT NOT NULL,
    loaded_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    confirmed_by TEXT,
    ended_ms INTEGER,
    colonne TEXT NOT NULL,
    mapping TEXT NOT NULL,
    run INTEGER NOT NULL,
    beat_ms INTEGER NOT NULL,
    bytes_read INTEGER NOT NULL,
    figures TEXT NOT NULL
) STRICT;
CREATE INDEX caricamento_ente ON caricamento (eservice_id, codice_ente, id);

-- The content of a file, in parts from 0, until it is no longer needed.
CREATE TABLE caricamento_parte (
    caricamento_id INTEGER NOT NULL REFERENCES caricamento (id),
    parte INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (caricamento_id, parte)
) STRICT;

-- What the last run said of its records, in pages from 0: a JSON array of entries each.
CREATE TABLE caricamento_pagina (
    caricamento_id INTEGER NOT NULL REFERENCES caricamento (id),
    pagina INTEGER NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (caricamento_id, pagina)
) STRICT;

-- Mappings of columns that staff keep for the next file of an ente. fields: a JSON object.
CREATE TABLE mappatura (
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    codice_ente TEXT NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL,
    saved_by TEXT NOT NULL,
    saved_ms INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, codice_ente, name)
) STRICT, WITHOUT ROWID;
