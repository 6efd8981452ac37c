-- Roles of PostgreSQL for a service that may add to the call log and never change it.
--
-- Make the tables first, as the role that shall own them (`waas-comuni db migrate`), then run this once as a superuser,
-- or as that role if it may make roles, in the service's database: psql -v ON_ERROR_STOP=1 -f postgres-roles.sql. Again
-- after an upgrade that brought tables. Then let `database.url` name waas_service: the service needs no right to change
-- tables. Migrations of a later version are run by the owner, with `waas-comuni db migrate`, before that version starts.
--
-- Passwords are not set here: `\password waas_service`, or pg_hba.conf.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'waas_service') THEN
        CREATE ROLE waas_service LOGIN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'waas_auditor') THEN
        CREATE ROLE waas_auditor LOGIN;
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO waas_service, waas_auditor;

-- The service: everything but what follows.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO waas_service;
-- For `waas-comuni db backup`.
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO waas_service;
-- The log: read and add. Entries from before the tree are given their hash, once.
REVOKE UPDATE, DELETE ON call_entry, call_removed, call_checkpoint FROM waas_service;
GRANT UPDATE (leaf_hash) ON call_entry TO waas_service;
REVOKE DELETE ON call_log_head FROM waas_service;
-- Old entries are removed by a function that sees to it that their hashes are kept.
GRANT EXECUTE ON FUNCTION call_log_remove(BIGINT, BIGINT) TO waas_service;
-- The history of the tables: read.
REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM waas_service;

-- An auditor: reads the log and its checkpoints (`waas-comuni calls search|verify|prove`), and no benefit. An export is
-- itself an entry of the log: the service's people make it.
GRANT SELECT ON call_entry, call_removed, call_checkpoint, call_log_head, eservice, __diesel_schema_migrations
    TO waas_auditor;
