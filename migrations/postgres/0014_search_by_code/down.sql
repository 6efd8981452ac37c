DROP INDEX prestazione_codice;
