DROP TABLE dpop_proof;
