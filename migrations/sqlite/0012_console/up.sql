-- Who may use the back office. name: what they sign in with, in lower case. roles: operatore, revisore, amministratore,
-- separated by spaces. password_hash: argon2id in PHC form; null where the identity proxy alone says who it is.
-- provisional: 1 while the password is one that somebody else knows.
CREATE TABLE staff_account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    roles TEXT NOT NULL,
    password_hash TEXT,
    provisional INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    disabled_ms INTEGER
) STRICT;

-- What an account is limited to; an account without rows here is not limited. codice_ente '' is every ente.
CREATE TABLE staff_scope (
    account_id INTEGER NOT NULL REFERENCES staff_account (id),
    eservice_id INTEGER NOT NULL REFERENCES eservice (id),
    codice_ente TEXT NOT NULL,
    PRIMARY KEY (account_id, eservice_id, codice_ente)
) STRICT, WITHOUT ROWID;

-- Who is signed in. id_hash: SHA-256 of the id in the cookie, which is kept nowhere.
CREATE TABLE staff_session (
    id_hash BLOB NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES staff_account (id),
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX staff_session_account ON staff_session (account_id);

-- How many flows a feed has up to and with the one at ts: a row for each transaction that published, so that counting
-- those after any cursor reads few of them.
CREATE TABLE feed_mark (
    eservice_id INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    flussi INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, ts)
) STRICT, WITHOUT ROWID;
INSERT INTO feed_mark (eservice_id, ts, flussi)
SELECT eservice_id, ts, place FROM (
    SELECT eservice_id, ts, row_number() OVER (PARTITION BY eservice_id ORDER BY ts) AS place,
           row_number() OVER (PARTITION BY eservice_id ORDER BY ts DESC) AS from_end
    FROM flusso
) AS placed
WHERE place % 500 = 0 OR from_end = 1;

-- Flows that no cursor sees any longer, to be taken from the count.
CREATE INDEX flusso_dropped ON flusso (eservice_id, ts) WHERE eliminato_ms IS NOT NULL;

-- What a benefit adds to riepilogo, null where it adds nothing: its code, its first month (202601), how many months it
-- is granted for (1 when it is paid once), and what it costs in each of them, in cents.
ALTER TABLE prestazione ADD COLUMN codice TEXT;
ALTER TABLE prestazione ADD COLUMN primo_mese INTEGER;
ALTER TABLE prestazione ADD COLUMN mesi INTEGER;
ALTER TABLE prestazione ADD COLUMN importo INTEGER;

-- The benefits in force by month and code. mese: 202601. iniziate: those whose first month it is; in_corso: those that
-- were granted for it; importo: what they cost in it, in cents.
CREATE TABLE riepilogo (
    eservice_id INTEGER NOT NULL,
    mese INTEGER NOT NULL,
    codice TEXT NOT NULL,
    codice_ente TEXT NOT NULL,
    iniziate INTEGER NOT NULL,
    in_corso INTEGER NOT NULL,
    importo INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, mese, codice, codice_ente)
) STRICT, WITHOUT ROWID;

-- By which day INPS should have the flows of a transaction, ts being its last. tipo: 1 A1.04, 2 periodic benefits.
CREATE TABLE scadenza (
    eservice_id INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    tipo INTEGER NOT NULL,
    giorno INTEGER NOT NULL,
    flussi INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, ts, tipo, giorno)
) STRICT, WITHOUT ROWID;

-- Our flows by the outcome in force.
CREATE TABLE esito_riepilogo (
    eservice_id INTEGER NOT NULL,
    codice_esito TEXT NOT NULL,
    flussi INTEGER NOT NULL,
    PRIMARY KEY (eservice_id, codice_esito)
) STRICT, WITHOUT ROWID;
INSERT INTO esito_riepilogo (eservice_id, codice_esito, flussi)
SELECT eservice_id, codice_esito, count(*) FROM esito
WHERE flusso_ts IS NOT NULL
  AND id IN (SELECT max(id) FROM esito GROUP BY eservice_id, id_flusso)
GROUP BY eservice_id, codice_esito;
