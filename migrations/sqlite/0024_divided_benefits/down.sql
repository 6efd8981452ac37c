ALTER TABLE prestazione DROP COLUMN seguito;
