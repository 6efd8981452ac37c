-- The official tables that the operator loaded, one of each kind, whole: CSV, the day on which it was current, who
-- published it.
CREATE TABLE codes_table (
    kind TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL,
    date TEXT NOT NULL,
    source TEXT NOT NULL,
    loaded_ms BIGINT NOT NULL
);
