//! The form of a benefit: the person, then the five steps of the official case; what each field asks for, in plain words.
//! Which values are right is said by the rulebook.

use super::modulo::Only::{All, Occasional, Periodic};
use super::modulo::Place::{Anagrafica, Indirizzo, Prestazione, Record};
use super::modulo::{Modulo, Passo, campo};

/// The form of a benefit.
pub(super) static PRESTAZIONE: Modulo = Modulo {
    element: "Beneficiario",
    children: &["Anagrafica", "Indirizzo", "PrestazioniSociali"],
    address: super::NUOVA,
    title: "Nuova prestazione",
    passi: &PASSI,
};

/// The step in which the kind of the benefit is chosen: until then, nothing is asked that depends on it.
pub(super) const PERIODO: usize = 3;
pub(super) const IMPORTI: usize = 4;
/// The person, then the five steps of the official case.
static PASSI: [Passo; 6] = [
    Passo {
        title: "Persona",
        intro: "Chi riceve la prestazione, come risulta dall'anagrafe.",
        campi: &[
            campo(
                "CodiceFiscale",
                Record,
                All,
                true,
                "Sedici caratteri, o le undici cifre di quello provvisorio.",
            ),
            campo("Cognome", Anagrafica, All, true, "Come sulla tessera sanitaria, al più 36 caratteri."),
            campo("Nome", Anagrafica, All, true, "Come sulla tessera sanitaria, al più 36 caratteri."),
            campo("AnnoNascita", Anagrafica, All, true, "Quattro cifre."),
            campo(
                "LuogoNascita",
                Anagrafica,
                All,
                true,
                "Il codice catastale del Comune, per esempio H501 per Roma; per chi è nato all'estero quello dello Stato, che comincia per Z. È nel codice fiscale, prima dell'ultima lettera.",
            ),
            campo("Genere", Anagrafica, All, true, ""),
            campo("CodiceCittadinanza", Anagrafica, All, true, "Tre cifre: 380 è l'Italia."),
            campo(
                "CodiceNazione",
                Indirizzo,
                All,
                true,
                "Dove abita. Tre cifre: 380 è l'Italia, 990 una nazione non nota.",
            ),
            campo(
                "CodiceRegione",
                Indirizzo,
                All,
                false,
                "Serve per chi abita in Italia. Due cifre, nella numerazione dell'Agenzia delle Entrate: 01 Abruzzo, 08 Lazio, 10 Lombardia, 21 Veneto.",
            ),
            campo(
                "CodiceComune",
                Indirizzo,
                All,
                false,
                "Serve per chi abita in Italia. Le sei cifre dell'ISTAT: 058091 per Roma.",
            ),
        ],
    },
    Passo {
        title: "Prestazione",
        intro: "Che cosa è stato concesso, e con quale domanda.",
        campi: &[
            campo(
                "CodicePrestazione",
                Prestazione,
                All,
                true,
                "Il codice del nomenclatore, per esempio A2.12 per la mensa scolastica.",
            ),
            campo(
                "DenominazionePrestazione",
                Prestazione,
                All,
                false,
                "Vuota: viene presa dal nomenclatore.",
            ),
            campo(
                "ProtocolloDomanda",
                Prestazione,
                All,
                true,
                "Il protocollo dell'ente, con cui la prestazione si ritrova. Al più 32 caratteri.",
            ),
            campo(
                "PresenzaProvaMezzi",
                Prestazione,
                All,
                true,
                "Se la prestazione dipende dall'ISEE o da un'altra prova dei mezzi.",
            ),
            campo(
                "CaratterePrestazione",
                Prestazione,
                All,
                true,
                "Periodica se si ripete ogni mese, occasionale se è data una volta sola.",
            ),
            campo("DataEvento", Prestazione, All, false, "Il giorno in cui è stata concessa. GG/MM/AAAA."),
        ],
    },
    Passo {
        title: "DSU",
        intro: "La dichiarazione dietro all'ISEE. Si compilano tutti e tre i campi, o nessuno.",
        campi: &[
            campo("NumeroProtocolloDSU", Prestazione, All, false, "Per esempio INPS-ISEE-2020-01234567A-00."),
            campo(
                "AnnoProtocolloDSU",
                Prestazione,
                All,
                false,
                "Quattro cifre: è anche nel numero di protocollo.",
            ),
            campo("DataDSU", Prestazione, All, false, "Il giorno in cui è stata presentata. GG/MM/AAAA."),
        ],
    },
    Passo {
        title: "Periodo",
        intro: "Da quando a quando. Una prestazione a cavallo di più anni diventa da sola un flusso per ogni anno.",
        campi: &[
            campo("DataInizioPrestazione", Prestazione, Periodic, true, "Il primo giorno. GG/MM/AAAA."),
            campo(
                "DataFinePrestazione",
                Prestazione,
                Periodic,
                false,
                "L'ultimo giorno, se è noto. GG/MM/AAAA.",
            ),
            campo("PeriodoErogazione", Prestazione, Periodic, false, "Vuoti: si contano dalle due date."),
            campo(
                "DataErogazionePrestazione",
                Prestazione,
                Occasional,
                true,
                "Il giorno in cui è stata data o pagata. GG/MM/AAAA.",
            ),
        ],
    },
    Passo {
        title: "Importi",
        intro: "Quanto costa e chi paga. Le quote, se ci sono, fanno insieme l'importo; una quota che non c'è si lascia vuota.",
        campi: &[
            campo("ImportoMensile", Prestazione, Periodic, true, "In euro, per esempio 84,20."),
            campo("ImportoPrestazione", Prestazione, Occasional, true, "In euro, in tutto."),
            campo("ImportoQuotaEnte", Prestazione, All, false, "Quanto paga l'ente."),
            campo("ImportoQuotaUtente", Prestazione, All, false, "Quanto paga la famiglia; può essere zero."),
            campo("ImportoQuotaSSN", Prestazione, All, false, "Quanto paga il servizio sanitario."),
            campo(
                "ImportoQuotaRichiesta",
                Prestazione,
                All,
                false,
                "Quanto costerebbe senza agevolazione: al mese, se è periodica.",
            ),
            campo(
                "ImportoSogliaISEE",
                Prestazione,
                All,
                false,
                "L'ISEE oltre il quale la prestazione non spetta, o cambia.",
            ),
            campo("OreServizioMensile", Prestazione, All, false, "Ore e minuti: 2,30 sono due ore e mezza."),
        ],
    },
    Passo {
        title: "Presa in carico",
        intro: "Se la persona è seguita dal servizio sociale con un progetto personale.",
        campi: &[
            campo("PresaCarico", Prestazione, All, true, ""),
            campo("AreaUtenza", Prestazione, All, false, "Solo se è presa in carico."),
        ],
    },
];
