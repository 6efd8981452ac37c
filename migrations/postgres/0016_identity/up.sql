-- What identifies a benefit names its person: one index finds a benefit by its identity, and the benefits of a person.
-- Both columns come in any order, so that each index on them costs a page of its own for nearly every row of an import.
DROP INDEX prestazione_identity;
DROP INDEX prestazione_person;
CREATE UNIQUE INDEX prestazione_identity ON prestazione (eservice_id, person, codice_ente, identity_hash);
