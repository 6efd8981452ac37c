//! The form of a child in care: SINBA, step by step.

use super::modulo::Only::All;
use super::modulo::Place::{List, Record};
use super::modulo::{Modulo, Passo, campo};
use crate::siuss::pseudonym;

/// The form of a child in care.
pub(super) static MINORE: Modulo = Modulo {
    element: "SINBA",
    children: &["Prestazioni", "Famiglia"],
    address: super::MINORE_NUOVO,
    title: "Nuovo minore in carico",
    passi: &PASSI,
};

static PASSI: [Passo; 7] = [
    Passo {
        title: "Minore",
        intro: "Chi è il minore, senza dirlo: il flusso non porta nome né codice fiscale.",
        campi: &[
            campo(
                pseudonym::SOURCE,
                Record,
                All,
                false,
                "Se lo scrivete, da qui si ricavano codice anonimo, anno di nascita e fascia di età, e subito dopo viene dimenticato. Serve la chiave dell'ente; senza, lasciare vuoto.",
            ),
            campo(
                "IDBeneficiario",
                Record,
                All,
                true,
                "Il codice anonimo che l'ente dà al minore: al più 20 caratteri, sempre lo stesso per lo stesso minore, mai un codice fiscale.",
            ),
            campo("AnnoNascita", Record, All, true, "Quattro cifre."),
            campo("FasciaEtaBeneficiario", Record, All, true, ""),
            campo("MinoreStranieroNoAcc", Record, All, true, "Se è un minore straniero non accompagnato."),
            campo("CondizioneMinore", Record, All, true, "Se ha i genitori."),
            campo(
                "CodiceNazioneResidenza",
                Record,
                All,
                true,
                "Dove risiede. Tre cifre: 380 è l'Italia, 990 una nazione non nota.",
            ),
            campo(
                "CodiceRegioneResidenza",
                Record,
                All,
                false,
                "Serve se risiede in Italia. Due cifre, nella numerazione dell'Agenzia delle Entrate: 01 Abruzzo, 08 Lazio, 10 Lombardia, 21 Veneto.",
            ),
        ],
    },
    Passo {
        title: "Vita e salute",
        intro: "Come vive il minore quando viene preso in carico.",
        campi: &[
            campo("LuogoVita", Record, All, true, "Dove vive."),
            campo("ScuolaFrequentata", Record, All, true, ""),
            campo("CondizioneLavoro", Record, All, true, ""),
            campo("Disabilita", Record, All, true, ""),
            campo("TipoDisabilita", Record, All, false, "Serve se c'è una disabilità."),
            campo("InvCivCertificazioni", Record, All, false, "Serve se c'è una disabilità."),
        ],
    },
    Passo {
        title: "Famiglia",
        intro: "Con chi vive il minore, e che cosa si sa dei genitori.",
        campi: &[
            campo(
                "Famiglia",
                List("ComposizioneFamiglia"),
                All,
                true,
                "Chi vive con il minore: una o più voci.",
            ),
            campo("NumeroComponentiISEE", Record, All, false, "Da 1 a 9, come risulta dall'ISEE."),
            campo("FasciaISEEBeneficiario", Record, All, false, ""),
            campo("CodiceCittadinanzaPadre", Record, All, false, "Tre cifre: 380 è l'Italia."),
            campo(
                "CodiceRegioneResidenzaPadre",
                Record,
                All,
                false,
                "Due cifre, nella numerazione dell'Agenzia delle Entrate.",
            ),
            campo("TitoloStudioPadre", Record, All, false, ""),
            campo("OccupazionePadre", Record, All, false, ""),
            campo("CodiceCittadinanzaMadre", Record, All, false, "Tre cifre: 380 è l'Italia."),
            campo(
                "CodiceRegioneResidenzaMadre",
                Record,
                All,
                false,
                "Due cifre, nella numerazione dell'Agenzia delle Entrate.",
            ),
            campo("TitoloStudioMadre", Record, All, false, ""),
            campo("OccupazioneMadre", Record, All, false, ""),
        ],
    },
    Passo {
        title: "Segnalazione",
        intro: "Chi ha segnalato la situazione, e che cosa ha trovato il servizio.",
        campi: &[
            campo("DataPrimaSegnalazione", Record, All, true, "Il mese: MM/AAAA."),
            campo("FonteSegnalazione", Record, All, true, ""),
            campo("ValutazioneMinore", Record, All, true, "Il problema principale del minore."),
            campo("ValutazioneFamigliaMinore", Record, All, true, "Il problema principale della famiglia."),
        ],
    },
    Passo {
        title: "Autorità giudiziaria",
        intro: "Se la situazione è stata segnalata a un'autorità giudiziaria, e che cosa ha deciso.",
        campi: &[
            campo("SegnalazioneAutoritaGiudiziaria", Record, All, true, ""),
            campo(
                "DataSegnalazione",
                Record,
                All,
                false,
                "Serve se c'è stata una segnalazione. Il mese: MM/AAAA.",
            ),
            campo("ProvvedimentoGiudiziario", Record, All, true, ""),
            campo(
                "DataProvvedimentoGiudiziario",
                Record,
                All,
                false,
                "Serve se c'è un provvedimento. Il mese: MM/AAAA.",
            ),
            campo("AutoritaProvvedimento", Record, All, false, "Solo se c'è un provvedimento."),
            campo("TipoProvvedimentoGiudiziario", Record, All, false, "Solo se c'è un provvedimento."),
            campo(
                "PotestaTutela",
                Record,
                All,
                false,
                "Che cosa è stato deciso della responsabilità dei genitori.",
            ),
        ],
    },
    Passo {
        title: "Interventi",
        intro: "Che cosa riceve il minore. Affido e inserimento in struttura si compilano se ci sono.",
        campi: &[
            campo(
                "Prestazioni",
                List("CodicePrestazione"),
                All,
                true,
                "I codici del nomenclatore, per esempio A2.02; più codici si separano con uno spazio.",
            ),
            campo("FormaInterventoAffido", Record, All, false, ""),
            campo("TipoInterventoAffido", Record, All, false, ""),
            campo("DurataAffido", Record, All, false, ""),
            campo("CarattereAffido", Record, All, false, ""),
            campo("EsitoAffido", Record, All, false, "Solo se l'affido è finito."),
            campo("FormaInserimentoResidenziale", Record, All, false, ""),
            campo("TipoInserimentoResidenziale", Record, All, false, ""),
            campo("CarattereInserimentoResidenziale", Record, All, false, ""),
            campo("EsitoInserimentoStruttura", Record, All, false, "Solo se l'inserimento è finito."),
            campo("CollaborazioniInterventi", Record, All, false, "Chi altro partecipa."),
        ],
    },
    Passo {
        title: "Chiusura",
        intro: "Solo se la presa in carico è finita.",
        campi: &[
            campo("MotivazioneChiusuraCarico", Record, All, false, "Perché è finita."),
            campo("SituazioneChiusuraCarico", Record, All, false, "Dov'era il minore in quel momento."),
        ],
    },
];
