ALTER TABLE eservice DROP COLUMN drops_ms;
