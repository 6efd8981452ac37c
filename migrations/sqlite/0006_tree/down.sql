DROP TABLE call_checkpoint;
ALTER TABLE call_log_head DROP COLUMN frontier;
ALTER TABLE call_log_head DROP COLUMN hashed;
ALTER TABLE call_entry DROP COLUMN leaf_hash;
