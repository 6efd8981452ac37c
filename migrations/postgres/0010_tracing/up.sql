-- The days of which the count of calls was sent to PDND, or is about to be. name: the [[tracing]] section. giorno: the
-- day of Europe/Rome, as 20260131. state: what PDND last said of it, OWED as long as it has said nothing. digest: SHA-256
-- of the file that PDND has, as far as it is known. sending: that of a file on its way, of which it is not known whether
-- it arrived. failures: attempts since the last that succeeded. recoveries: how often a file that PDND found wrong was
-- sent again by the daily job. next_ms: before this instant the job leaves the day alone.
CREATE TABLE tracing_day (
    name TEXT NOT NULL,
    giorno INTEGER NOT NULL,
    state TEXT NOT NULL,
    tracing_id TEXT,
    digest TEXT,
    sending TEXT,
    failures INTEGER NOT NULL,
    recoveries INTEGER NOT NULL,
    last_error TEXT,
    submitted_ms BIGINT,
    next_ms BIGINT NOT NULL,
    PRIMARY KEY (name, giorno)
);

-- Who sends for a [[tracing]] section: holder, until until_ms. since: the first day that the daily job answers for; null
-- until it is enabled.
CREATE TABLE tracing_turn (
    name TEXT NOT NULL PRIMARY KEY,
    since INTEGER,
    holder TEXT,
    until_ms BIGINT NOT NULL
);
