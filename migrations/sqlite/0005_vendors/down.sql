DROP INDEX flusso_prestazione;
DROP INDEX prestazione_label;
DROP TABLE api_answer;
DROP TABLE api_key;
