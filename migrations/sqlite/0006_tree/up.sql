-- The calls of a log are the leaves of a Merkle tree (RFC 9162). leaf_hash: null only in entries from before the tree,
-- until the first start hashes them.
ALTER TABLE call_entry ADD COLUMN leaf_hash BLOB;

-- hashed: how many entries are in the tree. frontier: the roots of the perfect trees that it consists of, from the
-- largest, 32 bytes each.
ALTER TABLE call_log_head ADD COLUMN hashed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE call_log_head ADD COLUMN frontier BLOB NOT NULL DEFAULT x'';

-- Signed statements about the first `size` entries of a log, as signed notes.
CREATE TABLE call_checkpoint (
    log_id INTEGER NOT NULL,
    size INTEGER NOT NULL,
    instant_ms INTEGER NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (log_id, size)
) STRICT;
