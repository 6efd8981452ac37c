-- benefit: the benefit that was asked for or changed. esiti: of what kind the outcomes were that were taken, as a JSON
-- object.
ALTER TABLE call_entry ADD COLUMN benefit BIGINT;
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
    log_id BIGINT NOT NULL,
    first_index BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (log_id, first_index)
);

-- The log only grows. An entry can be given its hash, once; and it can be removed after a day, when its hash is kept in
-- call_removed. The triggers guard against mistakes, and against whoever may use the tables but not change them: whoever
-- owns the database can drop them, and what is done then is found by verifying.
CREATE FUNCTION call_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END $$;
CREATE FUNCTION call_log_hash_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.instant_ms <= (extract(epoch FROM now()) - 86400) * 1000 AND OLD.leaf_hash = (
        SELECT substring(hashes FROM (OLD.entry_index - first_index)::integer * 32 + 1 FOR 32) FROM call_removed
        WHERE log_id = OLD.log_id AND first_index <= OLD.entry_index
        ORDER BY first_index DESC LIMIT 1
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'an entry of the call log is removed only after a day, and when its hash is kept';
END $$;
CREATE TRIGGER call_entry_changed BEFORE UPDATE ON call_entry FOR EACH ROW
    WHEN (OLD.leaf_hash IS NOT NULL OR to_jsonb(OLD) - 'leaf_hash' <> to_jsonb(NEW) - 'leaf_hash')
    EXECUTE FUNCTION call_log_refuse('an entry of the call log cannot be changed');
CREATE TRIGGER call_entry_removed BEFORE DELETE ON call_entry FOR EACH ROW EXECUTE FUNCTION call_log_hash_is_kept();
CREATE TRIGGER call_entry_emptied BEFORE TRUNCATE ON call_entry
    EXECUTE FUNCTION call_log_refuse('the call log cannot be emptied');
CREATE TRIGGER call_removed_changed BEFORE UPDATE OR DELETE ON call_removed FOR EACH ROW
    EXECUTE FUNCTION call_log_refuse('the hashes of removed entries can be neither changed nor removed');
CREATE TRIGGER call_removed_emptied BEFORE TRUNCATE ON call_removed
    EXECUTE FUNCTION call_log_refuse('the hashes of removed entries cannot be removed');
CREATE TRIGGER call_checkpoint_changed BEFORE UPDATE OR DELETE ON call_checkpoint FOR EACH ROW
    EXECUTE FUNCTION call_log_refuse('the checkpoints of the call log can be neither changed nor removed');
CREATE TRIGGER call_checkpoint_emptied BEFORE TRUNCATE ON call_checkpoint
    EXECUTE FUNCTION call_log_refuse('the checkpoints of the call log cannot be removed');
CREATE TRIGGER call_log_head_back BEFORE UPDATE ON call_log_head FOR EACH ROW
    WHEN (NEW.log_id <> OLD.log_id OR NEW.size < OLD.size OR NEW.hashed < OLD.hashed)
    EXECUTE FUNCTION call_log_refuse('a call log cannot become shorter');
CREATE TRIGGER call_log_head_removed BEFORE DELETE ON call_log_head FOR EACH ROW
    EXECUTE FUNCTION call_log_refuse('a call log cannot be removed');
CREATE TRIGGER call_log_head_emptied BEFORE TRUNCATE ON call_log_head
    EXECUTE FUNCTION call_log_refuse('a call log cannot be removed');

-- Removes the entries of a log below an index, for a role that may not delete: the trigger sees to it that their hashes
-- are kept. It runs with the rights of whoever owns it.
CREATE FUNCTION call_log_remove(log BIGINT, below BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    removed BIGINT;
BEGIN
    DELETE FROM call_entry WHERE log_id = log AND entry_index < below;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION call_log_remove FROM PUBLIC;

-- Temporary tables, which any role may make, come last: none can stand in for these.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION call_log_remove SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION call_log_hash_is_kept SET search_path = %I, pg_temp', current_schema());
END $$;
