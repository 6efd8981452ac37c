-- seguito: whether the benefit is what a source said of a later year in the row of an earlier one. If that row says
-- afterwards that it ends before its year does, this is withdrawn.
ALTER TABLE prestazione ADD COLUMN seguito INTEGER NOT NULL DEFAULT 0;
