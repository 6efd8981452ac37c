-- Which calls disclosed a flow: the pages that begin at it or just before it. Everything that is counted stands in the
-- index. Most calls disclose nothing, and are not in it.
CREATE INDEX call_entry_pages ON call_entry (log_id, first_ts, last_ts, entry_index) WHERE first_ts IS NOT NULL;
