-- The DPoP proofs that were used, as hashes, until they would be refused for their age.
CREATE TABLE dpop_proof (
    proof TEXT NOT NULL PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
CREATE INDEX dpop_proof_until ON dpop_proof (until_ms);
