//! The two flow documents as tables, stated a third time so that neither the product nor `specs/` is its own judge.
//!
//! Here: names, order, obligation and facets. How values and documents are made from them is in `arbitrary`.

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text of so many characters, from and to.
    Text(usize, usize),
    /// A fiscal code of 16 characters, or of 11 digits and up to five spaces.
    CodiceFiscale,
    /// Exactly so many digits.
    Digits(usize),
    /// A number from 1 to this one, as text.
    Choice(usize),
    /// `I` or `C`.
    Operation,
    Date,
    Decimal,
    /// An `xs:int` from and to.
    Int(i32, i32),
    /// `MM/AAAA`.
    Month,
}

pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
}

pub(crate) struct Child {
    pub(crate) element: &'static Element,
    pub(crate) min: usize,
    /// `None`: any number.
    pub(crate) max: Option<usize>,
}

pub(crate) enum Content {
    Empty,
    Value(Kind),
    Children(&'static [Child]),
}

pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) attributes: &'static [Attribute],
    pub(crate) content: Content,
}

const fn required(name: &'static str, kind: Kind) -> Attribute {
    Attribute { name, required: true, kind }
}

const fn optional(name: &'static str, kind: Kind) -> Attribute {
    Attribute { name, required: false, kind }
}

const fn once(element: &'static Element) -> Child {
    Child { element, min: 1, max: Some(1) }
}

const fn at_most_once(element: &'static Element) -> Child {
    Child { element, min: 0, max: Some(1) }
}

const fn many(element: &'static Element) -> Child {
    Child { element, min: 1, max: None }
}

const YES_NO: Kind = Kind::Choice(2);

pub(crate) static PS_PSA_SINA: Element = Element {
    name: "Flusso",
    attributes: &[],
    content: Content::Children(&[once(&IDENTIFICAZIONE), many(&BENEFICIARIO)]),
};

pub(crate) static SINBA: Element = Element {
    name: "Flusso",
    attributes: &[],
    content: Content::Children(&[once(&IDENTIFICAZIONE), many(&MINORE)]),
};

static IDENTIFICAZIONE: Element = Element {
    name: "IdentificazioneFlusso",
    attributes: &[required("Nome", Kind::Text(0, 50))],
    content: Content::Children(&[once(&ENTE)]),
};

static ENTE: Element = Element {
    name: "Ente",
    attributes: &[
        required("Codice", Kind::Text(1, 32)),
        optional("Denominazione", Kind::Text(1, 100)),
        required("Indirizzo", Kind::Text(4, 4)),
        required("CFOperatore", Kind::CodiceFiscale),
    ],
    content: Content::Empty,
};

static BENEFICIARIO: Element = Element {
    name: "Beneficiario",
    attributes: &[required("CodiceFiscale", Kind::CodiceFiscale)],
    content: Content::Children(&[
        once(&ANAGRAFICA),
        Child { element: &INDIRIZZO, min: 1, max: Some(5) },
        many(&PRESTAZIONI_SOCIALI),
    ]),
};

static ANAGRAFICA: Element = Element {
    name: "Anagrafica",
    attributes: &[
        required("Cognome", Kind::Text(1, 36)),
        required("Nome", Kind::Text(1, 36)),
        required("AnnoNascita", Kind::Digits(4)),
        required("LuogoNascita", Kind::Text(4, 4)),
        required("Genere", Kind::Choice(2)),
        required("CodiceCittadinanza", Kind::Digits(3)),
        optional("CodiceSecondaCittadinanza", Kind::Digits(3)),
    ],
    content: Content::Empty,
};

static INDIRIZZO: Element = Element {
    name: "Indirizzo",
    attributes: &[
        optional("CodiceRegione", Kind::Digits(2)),
        optional("CodiceComune", Kind::Digits(6)),
        required("CodiceNazione", Kind::Digits(3)),
    ],
    content: Content::Empty,
};

static PRESTAZIONI_SOCIALI: Element = Element {
    name: "PrestazioniSociali",
    attributes: &[
        optional("TipoOperazione", Kind::Operation),
        required("PresenzaProvaMezzi", Kind::Choice(4)),
        optional("CaratterePrestazione", Kind::Choice(2)),
        optional("NumeroProtocolloDSU", Kind::Text(0, 30)),
        optional("AnnoProtocolloDSU", Kind::Digits(4)),
        optional("DataDSU", Kind::Date),
        required("CodicePrestazione", Kind::Text(5, 10)),
        required("DenominazionePrestazione", Kind::Text(10, 200)),
        required("ProtocolloDomanda", Kind::Text(1, 32)),
        optional("DataEvento", Kind::Date),
        optional("DataInizioPrestazione", Kind::Date),
        optional("DataFinePrestazione", Kind::Date),
        optional("DataErogazionePrestazione", Kind::Date),
        optional("ImportoPrestazione", Kind::Decimal),
        optional("PeriodoErogazione", Kind::Int(1, 12)),
        optional("ImportoMensile", Kind::Decimal),
        optional("ImportoQuotaEnte", Kind::Decimal),
        optional("ImportoQuotaUtente", Kind::Decimal),
        optional("ImportoQuotaSSN", Kind::Decimal),
        optional("ImportoQuotaRichiesta", Kind::Decimal),
        optional("ImportoSogliaISEE", Kind::Decimal),
        optional("OreServizioMensile", Kind::Decimal),
        required("PresaCarico", YES_NO),
        optional("AreaUtenza", Kind::Choice(3)),
    ],
    content: Content::Children(&[at_most_once(&SINA)]),
};

static SINA: Element = Element {
    name: "SINA",
    attributes: &[
        required("Mobilita", Kind::Choice(3)),
        required("AttivitaVitaQuotidiana", Kind::Choice(3)),
        optional("DisturbiAreaCognitiva", Kind::Choice(3)),
        required("DisturbiComportamentali", Kind::Choice(2)),
        optional("NecessitaCureSanitarie", Kind::Choice(3)),
        required("AreaReddituale", Kind::Choice(3)),
        required("AreaSupporto", Kind::Choice(3)),
        required("FonteDerivazioneValutazione", Kind::Choice(4)),
        required("StrumentoValutazione", Kind::Choice(7)),
        optional("FonteDerivazioneInvalidita", Kind::Choice(2)),
    ],
    content: Content::Children(&[at_most_once(&NECESSITA), at_most_once(&INVALIDITA)]),
};

static NECESSITA: Element = Element {
    name: "NecessitaInterventiSociali",
    attributes: &[],
    content: Content::Children(&[many(&CODICE_PRESTAZIONE)]),
};

static CODICE_PRESTAZIONE: Element =
    Element { name: "CodicePrestazione", attributes: &[], content: Content::Value(Kind::Text(5, 10)) };

static INVALIDITA: Element =
    Element { name: "InvaliditaCivile", attributes: &[], content: Content::Children(&[many(&INV_CIV)]) };

static INV_CIV: Element =
    Element { name: "InvCiv", attributes: &[], content: Content::Value(Kind::Choice(8)) };

static MINORE: Element = Element {
    name: "SINBA",
    attributes: &[
        required("IDBeneficiario", Kind::Text(1, 20)),
        required("MinoreStranieroNoAcc", YES_NO),
        required("CondizioneMinore", Kind::Choice(5)),
        required("LuogoVita", Kind::Choice(8)),
        required("ScuolaFrequentata", Kind::Choice(8)),
        required("CondizioneLavoro", Kind::Choice(4)),
        required("Disabilita", YES_NO),
        optional("TipoDisabilita", Kind::Choice(4)),
        optional("InvCivCertificazioni", Kind::Choice(5)),
        optional("CodiceCittadinanzaPadre", Kind::Digits(3)),
        optional("CodiceCittadinanzaMadre", Kind::Digits(3)),
        optional("CodiceRegioneResidenzaPadre", Kind::Digits(2)),
        optional("CodiceRegioneResidenzaMadre", Kind::Digits(2)),
        optional("TitoloStudioPadre", Kind::Choice(6)),
        optional("TitoloStudioMadre", Kind::Choice(6)),
        optional("OccupazionePadre", Kind::Choice(8)),
        optional("OccupazioneMadre", Kind::Choice(8)),
        required("DataPrimaSegnalazione", Kind::Month),
        required("FonteSegnalazione", Kind::Choice(14)),
        required("ValutazioneMinore", Kind::Choice(13)),
        required("ValutazioneFamigliaMinore", Kind::Choice(13)),
        required("SegnalazioneAutoritaGiudiziaria", YES_NO),
        optional("DataSegnalazione", Kind::Month),
        required("ProvvedimentoGiudiziario", YES_NO),
        optional("DataProvvedimentoGiudiziario", Kind::Month),
        optional("AutoritaProvvedimento", Kind::Choice(4)),
        optional("PotestaTutela", Kind::Choice(5)),
        optional("TipoProvvedimentoGiudiziario", Kind::Choice(8)),
        optional("FormaInterventoAffido", Kind::Choice(2)),
        optional("TipoInterventoAffido", Kind::Choice(2)),
        optional("DurataAffido", Kind::Choice(2)),
        optional("CarattereAffido", Kind::Choice(2)),
        optional("EsitoAffido", Kind::Choice(9)),
        optional("CarattereInserimentoResidenziale", Kind::Choice(10)),
        optional("FormaInserimentoResidenziale", Kind::Choice(2)),
        optional("TipoInserimentoResidenziale", Kind::Choice(2)),
        optional("EsitoInserimentoStruttura", Kind::Choice(9)),
        optional("MotivazioneChiusuraCarico", Kind::Choice(9)),
        optional("SituazioneChiusuraCarico", Kind::Choice(8)),
        optional("CollaborazioniInterventi", Kind::Choice(9)),
        optional("NumeroComponentiISEE", Kind::Int(i32::MIN, 9)),
        required("FasciaEtaBeneficiario", Kind::Choice(6)),
        optional("FasciaISEEBeneficiario", Kind::Choice(8)),
        required("AnnoNascita", Kind::Digits(4)),
        optional("CodiceRegioneResidenza", Kind::Digits(2)),
        required("CodiceNazioneResidenza", Kind::Digits(3)),
    ],
    content: Content::Children(&[once(&PRESTAZIONI), once(&FAMIGLIA)]),
};

static PRESTAZIONI: Element = Element {
    name: "Prestazioni",
    attributes: &[],
    content: Content::Children(&[many(&CODICE_PRESTAZIONE)]),
};

static FAMIGLIA: Element =
    Element { name: "Famiglia", attributes: &[], content: Content::Children(&[many(&COMPOSIZIONE)]) };

static COMPOSIZIONE: Element =
    Element { name: "ComposizioneFamiglia", attributes: &[], content: Content::Value(Kind::Choice(6)) };
