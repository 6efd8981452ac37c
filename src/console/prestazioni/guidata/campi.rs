//! The steps of the form and their fields: what each asks for, in plain words. Which values are right is said by the
//! rulebook.

use crate::siuss::element::Element;
use crate::siuss::fields;

/// Which element of a record a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Beneficiario,
    Anagrafica,
    Indirizzo,
    Prestazione,
}

impl Place {
    /// The element of `record`.
    pub(super) fn of(self, record: &mut Element) -> Option<&mut Element> {
        match self {
            Self::Beneficiario => Some(record),
            Self::Anagrafica => record.child_mut("Anagrafica"),
            Self::Indirizzo => record.child_mut("Indirizzo"),
            Self::Prestazione => record.child_mut("PrestazioniSociali"),
        }
    }
}

/// For which benefits a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    Periodic,
    Occasional,
    All,
}

/// A field of the form, named as the attribute that it fills.
#[derive(Debug)]
pub(super) struct Campo {
    pub(super) id: &'static str,
    pub(super) place: Place,
    pub(super) only: Only,
    pub(super) needed: bool,
    /// What is asked for, in plain words.
    pub(super) hint: &'static str,
}

impl Campo {
    /// Its values with their meanings, where they are a closed list.
    pub(super) fn codes(&self) -> &'static [(&'static str, &'static str)] {
        fields::find(self.id).map(|field| field.codes).unwrap_or_default()
    }

    /// Its id in the layout of the mass upload.
    pub(super) fn bx(&self) -> &'static str {
        fields::bx(self.id).unwrap_or_default()
    }
}

/// A step of the form.
#[derive(Debug)]
pub(super) struct Passo {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) campi: &'static [Campo],
}

const fn campo(id: &'static str, place: Place, only: Only, needed: bool, hint: &'static str) -> Campo {
    Campo { id, place, only, needed, hint }
}

use Only::{All, Occasional, Periodic};
use Place::{Anagrafica, Beneficiario, Indirizzo, Prestazione};

/// The step in which the kind of the benefit is chosen: until then, nothing is asked that depends on it.
pub(super) const PERIODO: usize = 3;
pub(super) const IMPORTI: usize = 4;
/// The step after the last: what will be sent.
pub(super) const RIEPILOGO: usize = PASSI.len();

/// The person, then the five steps of the official case.
pub(super) static PASSI: [Passo; 6] = [
    Passo {
        title: "Persona",
        intro: "Chi riceve la prestazione, come risulta dall'anagrafe.",
        campi: &[
            campo(
                "CodiceFiscale",
                Beneficiario,
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

/// Every field.
pub(super) fn campi() -> impl Iterator<Item = &'static Campo> {
    PASSI.iter().flat_map(|passo| passo.campi)
}

/// The step in which a field is.
pub(super) fn step_of(id: &str) -> Option<usize> {
    PASSI.iter().position(|passo| passo.campi.iter().any(|campo| campo.id == id))
}
