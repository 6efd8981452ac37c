-- What the tracking evidence of a call says of the person for whom it was made (AUDIT_REST_02), as a JSON object.
ALTER TABLE call_entry ADD COLUMN evidence TEXT;
