//! The codes of a SINBA flow: a child in care.

use super::super::values::Value;
use super::{Code, codes};

codes! {
    /// Who lives with the child.
    ComposizioneFamiglia {
        Madre "1" "Madre",
        Padre "2" "Padre",
        FratelliSorelle "3" "Fratelli o sorelle",
        Nonni "4" "Nonno o nonna",
        CompagnoGenitore "5" "Compagno o compagna di un genitore",
        AltriConviventi "6" "Altri conviventi",
    }

    /// Whether the child has parents.
    CondizioneMinore {
        NonOrfano "1" "Non orfano",
        OrfanoDiEntrambi "2" "Orfano di entrambi",
        OrfanoDiPadre "3" "Orfano di padre",
        OrfanoDiMadre "4" "Orfano di madre",
        GenitoriIgnoti "5" "Genitori ignoti",
    }

    /// Where the child lives.
    LuogoVita {
        Famiglia "1" "Nella sua famiglia",
        Parenti "2" "Presso parenti",
        Affido "3" "In famiglia affidataria",
        StrutturaSociale "4" "In struttura residenziale sociale",
        StrutturaSanitaria "5" "In struttura residenziale sanitaria",
        IstitutoPenale "6" "In istituto penale minorile",
        Conoscenti "7" "Con amici o conoscenti",
        SenzaDimora "8" "Senza dimora",
    }

    /// The school that the child attends.
    ScuolaFrequentata {
        Nessuna "1" "Nessuna",
        Struttura "2" "Struttura",
        Nido "3" "Asilo nido",
        Infanzia "4" "Scuola dell'infanzia",
        Primaria "5" "Scuola primaria",
        SecondariaPrimoGrado "6" "Scuola secondaria di primo grado",
        SecondariaSecondoGrado "7" "Scuola secondaria di secondo grado",
        FormazioneProfessionale "8" "Corso di formazione professionale",
    }

    /// Work.
    CondizioneLavoro {
        Inattivo "1" "Inattivo",
        Occupato "2" "Occupato",
        Disoccupato "3" "Disoccupato",
        InCercaDiPrimaOccupazione "4" "In cerca di prima occupazione",
    }

    /// The kind of disability.
    TipoDisabilita {
        Fisica "1" "Fisica",
        Psichica "2" "Psichica",
        Sensoriale "3" "Sensoriale",
        Plurima "4" "Plurima",
    }

    /// A certificate of disability, as SINBA lists them.
    InvCivCertificazioni {
        Parziale "1" "Invalidità civile parziale, almeno 75%",
        TotaleConAccompagnamento "2" "Invalidità civile totale con accompagnamento",
        TotaleSenzaAccompagnamento "3" "Invalidità civile totale senza accompagnamento",
        Npi "4" "Certificazione NPI",
        Legge104 "5" "Certificazione della legge 104",
    }

    /// A parent's schooling.
    TitoloStudio {
        Nessuno "1" "Nessun titolo",
        LicenzaElementare "2" "Licenza elementare",
        LicenzaMedia "3" "Licenza media",
        QualificaProfessionale "4" "Qualifica professionale",
        Diploma "5" "Diploma di scuola superiore",
        Laurea "6" "Laurea o diploma di laurea",
    }

    /// A parent's work.
    Occupazione {
        Occupato "1" "Occupato",
        Disoccupato "2" "Disoccupato",
        InCercaDiPrimaOccupazione "3" "In cerca di prima occupazione",
        Casalingo "4" "Casalinga o casalingo",
        Studente "5" "Studente",
        Ritirato "6" "Ritirato dal lavoro",
        Inabile "7" "Inabile al lavoro",
        AltraCondizione "8" "Altra condizione",
    }

    /// Who reported the child's situation.
    FonteSegnalazione {
        ServizioGiustiziaMinorile "1" "Servizio sociale della giustizia minorile",
        AltroServizioSociale "2" "Altro servizio sociale",
        ServiziSanitari "3" "Servizi sanitari, medico o pediatra",
        PrivatoSociale "4" "Privato sociale o volontariato",
        ForzeOrdine "5" "Forze dell'ordine",
        Beneficiario "6" "Il beneficiario stesso",
        Affidatari "7" "Genitori affidatari o tutore",
        FamiliariConviventi "8" "Genitori, fratelli o altri familiari conviventi",
        ParentiNonConviventi "9" "Parenti non conviventi",
        TribunaleOrdinario "10" "Tribunale ordinario",
        AutoritaMinorili "11" "Autorità giudiziarie minorili",
        ProfessionistaPrivato "12" "Professionista privato",
        Scuola "13" "Scuola",
        Vicinato "14" "Vicini o conoscenti",
    }

    /// What troubles the child.
    ValutazioneMinore {
        Nessuna "1" "Nessun problema specifico",
        Relazionali "2" "Problemi relazionali e di comportamento",
        Dipendenze "3" "Dipendenze",
        Abbandono "4" "Presunto stato di abbandono",
        Sanitari "5" "Problemi sanitari",
        ViolenzaSessuale "6" "Violenza o sfruttamento sessuale subìti",
        AltraViolenza "7" "Altre violenze o maltrattamenti subìti",
        Devianza "8" "Comportamenti di grave devianza",
        Autonomia "9" "Problemi di autonomia o disabilità",
        ProcedurePenali "10" "Coinvolto in procedure penali",
        GestanteMadre "11" "Gestante o madre minorenne",
        StranieroNonAccompagnato "12" "Minore straniero non accompagnato",
        AbbandonoScolastico "13" "Abbandono scolastico",
    }

    /// What troubles the child's family.
    ValutazioneFamigliaMinore {
        Nessuna "1" "Nessun problema specifico",
        Genitoriale "2" "Fragilità genitoriale o problemi educativi e relazionali",
        Dipendenza "3" "Dipendenza",
        Psichiatriche "4" "Problemi psichiatrici",
        Sanitarie "5" "Altri problemi sanitari",
        Conflittualita "6" "Grave conflittualità",
        Maltrattante "7" "Famiglia maltrattante",
        Abusante "8" "Famiglia abusante",
        Giudiziari "9" "Problemi giudiziari",
        AffidoFallito "10" "Affido preadottivo fallito nel primo anno",
        ObblighiSanitari "11" "Obblighi sanitari non rispettati",
        Economiche "12" "Difficoltà economiche",
        Abitative "13" "Difficoltà abitative",
    }

    /// The authority that issued a measure.
    AutoritaProvvedimento {
        GiudiceTutelare "1" "Giudice tutelare",
        TribunaleMinori "2" "Tribunale per i minorenni",
        ProcuraMinori "3" "Procura per i minorenni",
        TribunaleOrdinario "4" "Tribunale ordinario",
    }

    /// Parental authority and guardianship.
    PotestaTutela {
        Sospensione "1" "Responsabilità genitoriale sospesa",
        Decadenza "2" "Responsabilità genitoriale decaduta",
        Prescrizioni "3" "Prescrizioni ai genitori",
        Tutela "4" "Tutela a parenti o ad altri",
        Curatela "5" "Curatela",
    }

    /// The kind of measure of a court.
    TipoProvvedimentoGiudiziario {
        Adottabilita "1" "Adottabilità",
        AdozioneNazionale "2" "Adozione nazionale",
        AdozioneInternazionale "3" "Adozione internazionale",
        AffidamentoFamiliare "4" "Affidamento familiare",
        AffidoServizioSociale "5" "Affido al servizio sociale",
        AffidamentoUnGenitore "6" "Affidamento a un genitore dopo la separazione",
        Vigilanza "7" "Vigilanza",
        Emergenza "8" "Post-adozione o allontanamento d'urgenza (art. 403 c.c.)",
    }

    /// Whether a placement was agreed or ordered.
    Forma {
        Consensuale "1" "Consensuale",
        Giudiziario "2" "Giudiziario",
    }

    /// Foster care among relatives or not.
    TipoInterventoAffido {
        Intrafamiliare "1" "Intrafamiliare",
        Eterofamiliare "2" "Eterofamiliare",
    }

    /// How much of the time foster care takes.
    DurataAffido {
        TempoPieno "1" "Tempo pieno",
        TempoParziale "2" "Tempo parziale",
    }

    /// Foster care with or without nights.
    CarattereAffido {
        Residenziale "1" "Residenziale",
        Diurno "2" "Diurno",
    }

    /// How foster care ended.
    EsitoAffido {
        Rientrato "1" "Rientrato nella famiglia di origine",
        AltroNucleo "2" "Affidato ad altro nucleo familiare",
        Adottato "3" "Adottato",
        StrutturaEducativa "4" "In struttura socio-educativa",
        StrutturaSanitaria "5" "In struttura sanitaria",
        Autonomia "6" "Vive in autonomia",
        Rimpatriato "7" "Rimpatriato",
        Ignota "8" "Destinazione ignota",
        Altro "9" "Altro",
    }

    /// The character of a residential placement.
    CarattereInserimentoResidenziale {
        FamiliareAbitativa "1" "Familiare, accoglienza abitativa",
        FamiliareTutelare "2" "Familiare, funzione tutelare",
        FamiliareEducativa "3" "Familiare, funzione socio-educativa",
        ComunitarioEmergenza "4" "Comunitario, accoglienza di emergenza",
        ComunitarioAbitativa "5" "Comunitario, accoglienza abitativa",
        ComunitarioTutelare "6" "Comunitario, funzione tutelare",
        ComunitarioEducativa "7" "Comunitario, funzione socio-educativa",
        ComunitarioPsicologica "8" "Comunitario, funzione educativa e psicologica",
        ComunitarioSanitariaBassa "9" "Comunitario, integrazione socio-sanitaria bassa",
        ComunitarioSanitariaAlta "10" "Comunitario, integrazione socio-sanitaria medio-alta",
    }

    /// Whether a parent is placed with the child.
    TipoInserimentoResidenziale {
        ConGenitore "1" "Con genitore",
        SenzaGenitore "2" "Senza genitore",
    }

    /// How a residential placement ended.
    EsitoInserimentoStruttura {
        Rientrato "1" "Rientrato nella famiglia di origine",
        Affido "2" "In famiglia affidataria",
        Adottato "3" "Adottato",
        AltraStruttura "4" "In altra struttura socio-educativa",
        StrutturaSanitaria "5" "In struttura sanitaria",
        Autonomo "6" "Reso autonomo",
        Rimpatriato "7" "Rimpatriato",
        Ignota "8" "Destinazione ignota",
        Altro "9" "Altro",
    }

    /// Why the case was closed.
    MotivazioneChiusuraCarico {
        StessaRegione "1" "Passato a un altro ambito della stessa regione",
        AltraRegione "2" "Passato a un ambito di un'altra regione",
        MaggioreEta "3" "Maggiore età",
        BisognoRisolto "4" "Bisogno risolto",
        UscitaRichiesta "5" "Uscita chiesta dal minore o dalla famiglia",
        Rimpatrio "6" "Rimpatrio",
        Irreperibilita "7" "Irreperibilità",
        Decesso "8" "Decesso",
        Altro "9" "Altro",
    }

    /// Where the child was when the case was closed.
    SituazioneChiusuraCarico {
        Famiglia "1" "Nella famiglia di origine",
        Autonomia "2" "Vive in autonomia",
        Affidataria "3" "Resta nella famiglia affidataria",
        StrutturaSociale "4" "Resta nella struttura socio-assistenziale",
        StrutturaSanitaria "5" "In struttura residenziale sanitaria",
        Adottato "6" "Adottato",
        IstitutoPenale "7" "Istituto penale",
        Ignota "8" "Destinazione ignota",
    }

    /// Who takes part in the care.
    CollaborazioniInterventi {
        Sert "1" "SERT",
        Npi "2" "NPI",
        Psicologia "3" "Psicologia",
        Clinica "4" "Clinica o DSM",
        AltriServizi "5" "Altri servizi sociali",
        Ussm "6" "USSM del Ministero della giustizia",
        Scuola "7" "Scuola",
        PrivatoSociale "8" "Privato sociale, associazioni, volontariato",
        Altro "9" "Altro",
    }

    /// The child's age.
    FasciaEta {
        Da0a3 "1" "Da 0 a 3 anni",
        Da3a6 "2" "Da 3 a 6 anni",
        Da6a9 "3" "Da 6 a 9 anni",
        Da9a12 "4" "Da 9 a 12 anni",
        Da12a15 "5" "Da 12 a 15 anni",
        Da15a18 "6" "Da 15 a 18 anni",
    }

    /// The family's ISEE.
    FasciaIsee {
        Zero "1" "ISEE pari a 0",
        Fino3000 "2" "Fino a 3.000 euro",
        Fino6000 "3" "Da 3.000,01 a 6.000 euro",
        Fino9000 "4" "Da 6.000,01 a 9.000 euro",
        Fino12000 "5" "Da 9.000,01 a 12.000 euro",
        Fino15000 "6" "Da 12.000,01 a 15.000 euro",
        Fino20000 "7" "Da 15.000,01 a 20.000 euro",
        Oltre20000 "8" "Oltre 20.000 euro",
    }
}
