ALTER TABLE call_entry DROP COLUMN evidence;
