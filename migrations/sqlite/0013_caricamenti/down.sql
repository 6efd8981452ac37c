DROP TABLE mappatura;
DROP TABLE caricamento_pagina;
DROP TABLE caricamento_parte;
DROP TABLE caricamento;
