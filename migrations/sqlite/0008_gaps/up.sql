-- Where a feed lacks flows that INPS may hold: a backup was restored, or a cursor came that lies above every flow.
-- What was published above after_ts may be gone; what is published next has a timestamp above until_ts.
-- noticed_by: restore, or pull.
CREATE TABLE feed_gap (
    eservice_id INTEGER NOT NULL,
    after_ts INTEGER NOT NULL,
    until_ts INTEGER NOT NULL,
    noticed_ms INTEGER NOT NULL,
    noticed_by TEXT NOT NULL,
    PRIMARY KEY (eservice_id, until_ts)
) STRICT, WITHOUT ROWID;
