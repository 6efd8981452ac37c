-- benefit: the benefit that was asked for or changed. esiti: of what kind the outcomes were that were taken, as a JSON
-- object.
ALTER TABLE call_entry ADD COLUMN benefit INTEGER;
ALTER TABLE call_entry ADD COLUMN esiti TEXT;

-- By what entries are looked for, each in the order in which they are found. What nearly every call has in common
-- (status 200, outcome ok) is in no index: whoever asks for it finds it everywhere.
CREATE INDEX call_entry_log ON call_entry (log_id, instant_ms, entry_index);
CREATE INDEX call_entry_token ON call_entry (token_id, instant_ms, log_id, entry_index) WHERE token_id IS NOT NULL;
CREATE INDEX call_entry_purpose ON call_entry (purpose_id, instant_ms, log_id, entry_index)
    WHERE purpose_id IS NOT NULL;
CREATE INDEX call_entry_consumer ON call_entry (consumer_id, instant_ms, log_id, entry_index)
    WHERE consumer_id IS NOT NULL;
CREATE INDEX call_entry_client ON call_entry (client_id, instant_ms, log_id, entry_index) WHERE client_id IS NOT NULL;
CREATE INDEX call_entry_status ON call_entry (status, instant_ms, log_id, entry_index) WHERE status <> 200;
CREATE INDEX call_entry_outcome ON call_entry (outcome, instant_ms, log_id, entry_index) WHERE outcome <> 'ok';
CREATE INDEX call_entry_benefit ON call_entry (benefit, instant_ms, log_id, entry_index) WHERE benefit IS NOT NULL;
CREATE INDEX call_entry_action ON call_entry (path, instant_ms, log_id, entry_index) WHERE method = 'ACTION';

-- What is left of entries whose time was over: the hashes of the entries from first_index on, 32 bytes each.
CREATE TABLE call_removed (
    log_id INTEGER NOT NULL,
    first_index INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log_id, first_index)
) STRICT;

-- The log only grows. An entry can be given its hash, once; and it can be removed after a day, when its hash is kept in
-- call_removed. The triggers guard against mistakes, and against whoever may use the tables but not change them: whoever
-- owns the database can drop them, and what is done then is found by verifying.
CREATE TRIGGER call_entry_changed BEFORE UPDATE OF
    log_id, entry_index, instant_ms, request_id, method, path, query, status, outcome, client_ip, client_id,
    consumer_id, purpose_id, token_id, kid, producer_id, pdnd_eservice_id, descriptor_id, voucher_check, since,
    page_limit, first_ts, last_ts, item_count, flows_digest, duration_us, bytes, evidence, benefit, esiti
ON call_entry
BEGIN
    SELECT RAISE(ABORT, 'an entry of the call log cannot be changed');
END;
CREATE TRIGGER call_entry_hashed_again BEFORE UPDATE OF leaf_hash ON call_entry
WHEN OLD.leaf_hash IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an entry of the call log has one hash');
END;
CREATE TRIGGER call_entry_replaced BEFORE INSERT ON call_entry
WHEN EXISTS (SELECT 1 FROM call_entry WHERE log_id = NEW.log_id AND entry_index = NEW.entry_index)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the call log cannot be replaced');
END;
CREATE TRIGGER call_entry_removed BEFORE DELETE ON call_entry
WHEN OLD.leaf_hash IS NOT (
    SELECT substr(hashes, (OLD.entry_index - first_index) * 32 + 1, 32) FROM call_removed
    WHERE log_id = OLD.log_id AND first_index <= OLD.entry_index
    ORDER BY first_index DESC LIMIT 1
) OR OLD.leaf_hash IS NULL OR OLD.instant_ms > (unixepoch() - 86400) * 1000
BEGIN
    SELECT RAISE(ABORT, 'an entry of the call log is removed only after a day, and when its hash is kept');
END;
CREATE TRIGGER call_removed_changed BEFORE UPDATE ON call_removed
BEGIN
    SELECT RAISE(ABORT, 'the hashes of removed entries cannot be changed');
END;
CREATE TRIGGER call_removed_removed BEFORE DELETE ON call_removed
BEGIN
    SELECT RAISE(ABORT, 'the hashes of removed entries cannot be removed');
END;
CREATE TRIGGER call_checkpoint_changed BEFORE UPDATE ON call_checkpoint
BEGIN
    SELECT RAISE(ABORT, 'the checkpoints of the call log cannot be changed');
END;
CREATE TRIGGER call_checkpoint_removed BEFORE DELETE ON call_checkpoint
BEGIN
    SELECT RAISE(ABORT, 'the checkpoints of the call log cannot be removed');
END;
CREATE TRIGGER call_removed_replaced BEFORE INSERT ON call_removed
WHEN EXISTS (SELECT 1 FROM call_removed WHERE log_id = NEW.log_id AND first_index = NEW.first_index)
BEGIN
    SELECT RAISE(ABORT, 'the hashes of removed entries cannot be replaced');
END;
CREATE TRIGGER call_checkpoint_replaced BEFORE INSERT ON call_checkpoint
WHEN EXISTS (SELECT 1 FROM call_checkpoint WHERE log_id = NEW.log_id AND size = NEW.size AND note <> NEW.note)
BEGIN
    SELECT RAISE(ABORT, 'the checkpoints of the call log cannot be replaced');
END;
CREATE TRIGGER call_log_head_back BEFORE UPDATE ON call_log_head
WHEN NEW.log_id <> OLD.log_id OR NEW.size < OLD.size OR NEW.hashed < OLD.hashed
BEGIN
    SELECT RAISE(ABORT, 'a call log cannot become shorter');
END;
CREATE TRIGGER call_log_head_removed BEFORE DELETE ON call_log_head
BEGIN
    SELECT RAISE(ABORT, 'a call log cannot be removed');
END;
