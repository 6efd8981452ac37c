//! The two kinds of record as types: PS_PSA_SINA and SINBA, with every element and attribute of INPS's XML schemas.
//!
//! A value of these types obeys the schema; the rules beyond it are in [`super::rules`]. How a record becomes XML and
//! back is in [`super::xml`].

use super::codes::{
    AreaReddituale, AreaSupporto, AreaUtenza, AttivitaVitaQuotidiana, AutoritaProvvedimento, CarattereAffido,
    CarattereInserimentoResidenziale, CaratterePrestazione, CollaborazioniInterventi, ComposizioneFamiglia,
    CondizioneLavoro, CondizioneMinore, DisturbiAreaCognitiva, DisturbiComportamentali, DurataAffido,
    EsitoAffido, EsitoInserimentoStruttura, FasciaEta, FasciaIsee, FonteDerivazioneInvalidita,
    FonteDerivazioneValutazione, FonteSegnalazione, Forma, Genere, InvCiv, InvCivCertificazioni, LuogoVita,
    Mobilita, MotivazioneChiusuraCarico, NecessitaCureSanitarie, Occupazione, PotestaTutela,
    PresenzaProvaMezzi, ScuolaFrequentata, SiNo, SituazioneChiusuraCarico, StrumentoValutazione,
    TipoDisabilita, TipoInserimentoResidenziale, TipoInterventoAffido, TipoProvvedimentoGiudiziario,
    TitoloStudio, ValutazioneFamigliaMinore, ValutazioneMinore,
};
use super::element::{Attributes, Element, Sequence, empty_list, texts};
use super::fields::Field;
use super::notice::Notice;
use super::values::{CodiceFiscale, Data, Digits, Importo, Intero, MeseAnno, Text, Value};

pub use super::codes::TipoOperazione;

/// The name of a flow: `IdentificazioneFlusso/@Nome`, which is also its `id_flusso`.
pub type NomeFlusso = Text<0, 50>;

/// A code of the nomenclature of benefits, such as `A2.12`.
pub type CodicePrestazione = Text<5, 10>;

/// The attributes of one element of the schema.
pub(super) trait Group: Sized {
    /// Its attributes, in the order of the schema.
    const FIELDS: &'static [Field];

    /// Reads the attributes of `element`; `None` when one is wrong or missing, which `notices` then tells.
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self>;

    /// Gives every attribute that is there to `each`, in the order of the schema.
    fn each(&self, each: &mut dyn FnMut(&'static str, &str));
}

macro_rules! groups {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $presence:ident $type:ty = $attribute:literal $(($bx:literal))?,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[doc = concat!("`", $attribute, "`")] pub $field: groups!(@type $presence $type),)+
        }

        impl Group for $name {
            const FIELDS: &'static [Field] = &[
                $(Field {
                    name: $attribute,
                    bx: groups!(@bx $($bx)?),
                    required: groups!(@required $presence),
                    kind: <$type as Value>::KIND,
                    codes: <$type as Value>::CODES,
                }),+
            ];

            fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
                let mut attributes = Attributes::new(element, &[$($attribute),+], notices);
                $(let $field = attributes.$presence($attribute);)+
                Some(Self { $($field: $field?),+ })
            }

            fn each(&self, each: &mut dyn FnMut(&'static str, &str)) {
                let mut text = String::with_capacity(64);
                $(groups!(@each $presence self each text $field $attribute);)+
            }
        }
    )+};
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@required required) => { true };
    (@required optional) => { false };
    (@bx) => { None };
    (@bx $bx:literal) => { Some($bx) };
    (@each required $self:ident $each:ident $text:ident $field:ident $attribute:literal) => {
        $text.clear();
        $self.$field.write(&mut $text);
        $each($attribute, &$text);
    };
    (@each optional $self:ident $each:ident $text:ident $field:ident $attribute:literal) => {
        if let Some(value) = &$self.$field {
            $text.clear();
            value.write(&mut $text);
            $each($attribute, &$text);
        }
    };
}

groups! {
    /// The body that grants the benefit and transmits it: `Ente`.
    EnteErogatore {
        codice: required Text<1, 32> = "Codice",
        denominazione: optional Text<1, 100> = "Denominazione",
        sede: required Text<4, 4> = "Indirizzo",
        cf_operatore: required CodiceFiscale = "CFOperatore",
    }

    /// The attributes of `Beneficiario`.
    DatiBeneficiario {
        codice_fiscale: required CodiceFiscale = "CodiceFiscale",
    }

    /// Who the beneficiary is: `Anagrafica`.
    Anagrafica {
        cognome: required Text<1, 36> = "Cognome",
        nome: required Text<1, 36> = "Nome",
        anno_nascita: required Digits<4> = "AnnoNascita",
        luogo_nascita: required Text<4, 4> = "LuogoNascita",
        genere: required Genere = "Genere",
        codice_cittadinanza: required Digits<3> = "CodiceCittadinanza",
        codice_seconda_cittadinanza: optional Digits<3> = "CodiceSecondaCittadinanza",
    }

    /// Where the beneficiary lives: `Indirizzo`.
    Indirizzo {
        codice_regione: optional Digits<2> = "CodiceRegione",
        codice_comune: optional Digits<6> = "CodiceComune",
        codice_nazione: required Digits<3> = "CodiceNazione",
    }

    /// The attributes of `PrestazioniSociali`.
    DatiPrestazione {
        tipo_operazione: optional TipoOperazione = "TipoOperazione" ("BX201"),
        presenza_prova_mezzi: required PresenzaProvaMezzi = "PresenzaProvaMezzi" ("BX202"),
        carattere: optional CaratterePrestazione = "CaratterePrestazione" ("BX203"),
        numero_protocollo_dsu: optional Text<0, 30> = "NumeroProtocolloDSU" ("BX204"),
        anno_protocollo_dsu: optional Digits<4> = "AnnoProtocolloDSU" ("BX205"),
        data_dsu: optional Data = "DataDSU" ("BX206"),
        codice: required CodicePrestazione = "CodicePrestazione" ("BX207"),
        denominazione: required Text<10, 200> = "DenominazionePrestazione" ("BX208"),
        protocollo_domanda: required Text<1, 32> = "ProtocolloDomanda" ("BX209"),
        data_evento: optional Data = "DataEvento" ("BX210"),
        data_inizio: optional Data = "DataInizioPrestazione" ("BX211"),
        data_fine: optional Data = "DataFinePrestazione" ("BX212"),
        data_erogazione: optional Data = "DataErogazionePrestazione" ("BX213"),
        importo: optional Importo = "ImportoPrestazione" ("BX214"),
        periodo_erogazione: optional Intero<1, 12> = "PeriodoErogazione" ("BX215"),
        importo_mensile: optional Importo = "ImportoMensile" ("BX216"),
        quota_ente: optional Importo = "ImportoQuotaEnte" ("BX217"),
        quota_utente: optional Importo = "ImportoQuotaUtente" ("BX218"),
        quota_ssn: optional Importo = "ImportoQuotaSSN" ("BX219"),
        quota_richiesta: optional Importo = "ImportoQuotaRichiesta" ("BX220"),
        soglia_isee: optional Importo = "ImportoSogliaISEE" ("BX221"),
        ore_servizio_mensile: optional Importo = "OreServizioMensile" ("BX222"),
        presa_carico: required SiNo = "PresaCarico" ("BX223"),
        area_utenza: optional AreaUtenza = "AreaUtenza" ("BX224"),
    }

    /// The attributes of `SINA`, the assessment of non-self-sufficiency.
    DatiSina {
        mobilita: required Mobilita = "Mobilita",
        attivita_vita_quotidiana: required AttivitaVitaQuotidiana = "AttivitaVitaQuotidiana",
        disturbi_area_cognitiva: optional DisturbiAreaCognitiva = "DisturbiAreaCognitiva",
        disturbi_comportamentali: required DisturbiComportamentali = "DisturbiComportamentali",
        necessita_cure_sanitarie: optional NecessitaCureSanitarie = "NecessitaCureSanitarie",
        area_reddituale: required AreaReddituale = "AreaReddituale",
        area_supporto: required AreaSupporto = "AreaSupporto",
        fonte_valutazione: required FonteDerivazioneValutazione = "FonteDerivazioneValutazione",
        strumento_valutazione: required StrumentoValutazione = "StrumentoValutazione",
        fonte_invalidita: optional FonteDerivazioneInvalidita = "FonteDerivazioneInvalidita",
    }

    /// The attributes of `SINBA`, a child in care, known by a pseudonym.
    DatiSinba {
        id_beneficiario: required Text<1, 20> = "IDBeneficiario",
        minore_straniero_no_acc: required SiNo = "MinoreStranieroNoAcc",
        condizione_minore: required CondizioneMinore = "CondizioneMinore",
        luogo_vita: required LuogoVita = "LuogoVita",
        scuola_frequentata: required ScuolaFrequentata = "ScuolaFrequentata",
        condizione_lavoro: required CondizioneLavoro = "CondizioneLavoro",
        disabilita: required SiNo = "Disabilita",
        tipo_disabilita: optional TipoDisabilita = "TipoDisabilita",
        inv_civ_certificazioni: optional InvCivCertificazioni = "InvCivCertificazioni",
        cittadinanza_padre: optional Digits<3> = "CodiceCittadinanzaPadre",
        cittadinanza_madre: optional Digits<3> = "CodiceCittadinanzaMadre",
        regione_residenza_padre: optional Digits<2> = "CodiceRegioneResidenzaPadre",
        regione_residenza_madre: optional Digits<2> = "CodiceRegioneResidenzaMadre",
        titolo_studio_padre: optional TitoloStudio = "TitoloStudioPadre",
        titolo_studio_madre: optional TitoloStudio = "TitoloStudioMadre",
        occupazione_padre: optional Occupazione = "OccupazionePadre",
        occupazione_madre: optional Occupazione = "OccupazioneMadre",
        data_prima_segnalazione: required MeseAnno = "DataPrimaSegnalazione",
        fonte_segnalazione: required FonteSegnalazione = "FonteSegnalazione",
        valutazione_minore: required ValutazioneMinore = "ValutazioneMinore",
        valutazione_famiglia_minore: required ValutazioneFamigliaMinore = "ValutazioneFamigliaMinore",
        segnalazione_autorita_giudiziaria: required SiNo = "SegnalazioneAutoritaGiudiziaria",
        data_segnalazione: optional MeseAnno = "DataSegnalazione",
        provvedimento_giudiziario: required SiNo = "ProvvedimentoGiudiziario",
        data_provvedimento_giudiziario: optional MeseAnno = "DataProvvedimentoGiudiziario",
        autorita_provvedimento: optional AutoritaProvvedimento = "AutoritaProvvedimento",
        potesta_tutela: optional PotestaTutela = "PotestaTutela",
        tipo_provvedimento_giudiziario: optional TipoProvvedimentoGiudiziario = "TipoProvvedimentoGiudiziario",
        forma_intervento_affido: optional Forma = "FormaInterventoAffido",
        tipo_intervento_affido: optional TipoInterventoAffido = "TipoInterventoAffido",
        durata_affido: optional DurataAffido = "DurataAffido",
        carattere_affido: optional CarattereAffido = "CarattereAffido",
        esito_affido: optional EsitoAffido = "EsitoAffido",
        carattere_inserimento: optional CarattereInserimentoResidenziale = "CarattereInserimentoResidenziale",
        forma_inserimento: optional Forma = "FormaInserimentoResidenziale",
        tipo_inserimento: optional TipoInserimentoResidenziale = "TipoInserimentoResidenziale",
        esito_inserimento: optional EsitoInserimentoStruttura = "EsitoInserimentoStruttura",
        motivazione_chiusura: optional MotivazioneChiusuraCarico = "MotivazioneChiusuraCarico",
        situazione_chiusura: optional SituazioneChiusuraCarico = "SituazioneChiusuraCarico",
        collaborazioni: optional CollaborazioniInterventi = "CollaborazioniInterventi",
        numero_componenti_isee: optional Intero<{ i32::MIN }, 9> = "NumeroComponentiISEE",
        fascia_eta: required FasciaEta = "FasciaEtaBeneficiario",
        fascia_isee: optional FasciaIsee = "FasciaISEEBeneficiario",
        anno_nascita: required Digits<4> = "AnnoNascita",
        regione_residenza: optional Digits<2> = "CodiceRegioneResidenza",
        nazione_residenza: required Digits<3> = "CodiceNazioneResidenza",
    }
}

impl EnteErogatore {
    /// The ente with these particulars, or the names of those that a flow cannot carry.
    pub fn new(
        codice: &str,
        denominazione: &str,
        sede: &str,
        cf_operatore: &str,
    ) -> Result<Self, Vec<&'static str>> {
        let parts =
            (Value::read(codice), Text::read(denominazione), Value::read(sede), Value::read(cf_operatore));
        match parts {
            (Some(codice), Some(denominazione), Some(sede), Some(cf_operatore)) => {
                Ok(Self { codice, denominazione: Some(denominazione), sede, cf_operatore })
            }
            (codice, denominazione, sede, cf_operatore) => Err([
                ("codice", codice.is_none()),
                ("denominazione", denominazione.is_none()),
                ("sede", sede.is_none()),
                ("cf_operatore", cf_operatore.is_none()),
            ]
            .into_iter()
            .filter_map(|(name, wrong)| wrong.then_some(name))
            .collect()),
        }
    }
}

/// Between `MIN` and `MAX` values of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Repeated<T, MIN, MAX> {
    /// `values`, unless they are too few or too many.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        (MIN..=MAX).contains(&values.len()).then_some(Self(values))
    }

    /// The values, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

/// The assessment of non-self-sufficiency: `SINA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sina {
    /// Its attributes.
    pub dati: DatiSina,
    /// `NecessitaInterventiSociali`: the benefits that the person needs; absent when empty.
    pub necessita_interventi_sociali: Vec<CodicePrestazione>,
    /// `InvaliditaCivile`: the person's certificates; absent when empty.
    pub invalidita_civile: Vec<InvCiv>,
}

/// One benefit of one person: `Beneficiario` with one `PrestazioniSociali`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsPsaSina {
    /// Whose benefit it is.
    pub codice_fiscale: CodiceFiscale,
    /// Who that is.
    pub anagrafica: Anagrafica,
    /// Where that person lives.
    pub indirizzi: Repeated<Indirizzo, 1, 5>,
    /// The benefit.
    pub prestazione: DatiPrestazione,
    /// The assessment behind it, if any.
    pub sina: Option<Sina>,
}

/// One child in care: `SINBA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sinba {
    /// Its attributes.
    pub dati: DatiSinba,
    /// `Prestazioni`: the benefits that the child receives.
    pub prestazioni: Repeated<CodicePrestazione, 1, { usize::MAX }>,
    /// `Famiglia`: who lives with the child.
    pub famiglia: Repeated<ComposizioneFamiglia, 1, { usize::MAX }>,
}

/// What a flow carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A benefit and, if any, the assessment behind it.
    PsPsaSina(Box<PsPsaSina>),
    /// A child in care.
    Sinba(Box<Sinba>),
}

/// The kind of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TipoFlusso {
    /// A benefit.
    PsPsaSina,
    /// A child in care.
    Sinba,
}

impl TipoFlusso {
    /// Its name in the contract (`tipo`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PsPsaSina => "PS_PSA_SINA",
            Self::Sinba => "SINBA",
        }
    }

    /// Its name inside an `id_flusso`.
    #[must_use]
    pub fn sigla(self) -> &'static str {
        match self {
            Self::PsPsaSina => "PS",
            Self::Sinba => "SINBA",
        }
    }
}

/// A flow: one record of one ente, under its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flusso {
    /// Its name.
    pub nome: NomeFlusso,
    /// Who transmits it.
    pub ente: EnteErogatore,
    /// What it carries.
    pub record: Record,
}

impl Record {
    /// Reads a `Beneficiario` with one `PrestazioniSociali`, or a `SINBA`.
    ///
    /// Says in `notices` what the schema does not allow, and then gives no record.
    pub fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let before = notices.len();
        let record = if element.name == "SINBA" {
            Sinba::read(element, notices).map(|record| Self::Sinba(Box::new(record)))
        } else {
            PsPsaSina::read(element, notices).map(|record| Self::PsPsaSina(Box::new(record)))
        };
        record.filter(|_| notices.len() == before)
    }

    /// Its kind.
    #[must_use]
    pub fn tipo(&self) -> TipoFlusso {
        match self {
            Self::PsPsaSina(_) => TipoFlusso::PsPsaSina,
            Self::Sinba(_) => TipoFlusso::Sinba,
        }
    }

    /// What it asks for; a SINBA can only be inserted.
    #[must_use]
    pub fn operazione(&self) -> TipoOperazione {
        match self {
            Self::PsPsaSina(record) => {
                record.prestazione.tipo_operazione.unwrap_or(TipoOperazione::Inserimento)
            }
            Self::Sinba(_) => TipoOperazione::Inserimento,
        }
    }

    /// The same record asking for `operazione`; a SINBA has none and stays as it is.
    #[must_use]
    pub fn with_operazione(mut self, operazione: TipoOperazione) -> Self {
        if let Self::PsPsaSina(record) = &mut self {
            record.prestazione.tipo_operazione = Some(operazione);
        }
        self
    }

    /// By what staff find it again: `ProtocolloDomanda`, or `IDBeneficiario`.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::PsPsaSina(record) => record.prestazione.protocollo_domanda.as_str(),
            Self::Sinba(record) => record.dati.id_beneficiario.as_str(),
        }
    }

    /// Whose it is: the fiscal code, or the pseudonym.
    #[must_use]
    pub fn person(&self) -> &str {
        match self {
            Self::PsPsaSina(record) => record.codice_fiscale.as_str(),
            Self::Sinba(record) => record.dati.id_beneficiario.as_str(),
        }
    }

    /// The code of the benefit; a child in care has several, or none.
    #[must_use]
    pub fn codice(&self) -> Option<&str> {
        match self {
            Self::PsPsaSina(record) => Some(record.prestazione.codice.as_str()),
            Self::Sinba(_) => None,
        }
    }

    /// What makes two records of one ente the same benefit, whatever else changed.
    ///
    /// A benefit is the same when person, code, protocol of the request and first day (or day of payment) are: one
    /// request may be paid several times, and granted again for another period, so the day belongs to it. A child in
    /// care is the same under the same pseudonym.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::PsPsaSina(record) => {
                let prestazione = &record.prestazione;
                let day = match prestazione.carattere {
                    Some(CaratterePrestazione::Occasionale) => prestazione.data_erogazione,
                    _ => prestazione.data_inizio,
                };
                format!(
                    "PS\n{}\n{}\n{}\n{}",
                    record.codice_fiscale,
                    prestazione.codice.as_str(),
                    prestazione.protocollo_domanda.as_str(),
                    day.map(|day| day.text()).unwrap_or_default()
                )
            }
            Self::Sinba(record) => format!("SINBA\n{}", record.dati.id_beneficiario.as_str()),
        }
    }

    /// Everything that it says, in one canonical form, but for the operation.
    #[must_use]
    pub fn content(&self) -> String {
        super::xml::write_record(self, Some(TipoOperazione::Inserimento))
    }
}

impl PsPsaSina {
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiBeneficiario::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let anagrafica = children
            .take("Anagrafica", 1, 1, notices)
            .first()
            .and_then(|element| read_empty::<Anagrafica>(element, notices));
        let indirizzi: Vec<_> = children
            .take("Indirizzo", 1, 5, notices)
            .iter()
            .filter_map(|element| read_empty::<Indirizzo>(element, notices))
            .collect();
        let prestazione = children.take("PrestazioniSociali", 1, 1, notices).first();
        children.end(notices);
        let (prestazione, sina) = prestazione.map(|element| {
            let dati = DatiPrestazione::read(element, notices);
            let mut children = Sequence::new(element, notices);
            let sina =
                children.take("SINA", 0, 1, notices).first().map(|element| Sina::read(element, notices));
            children.end(notices);
            (dati, sina)
        })?;
        Some(Self {
            codice_fiscale: dati?.codice_fiscale,
            anagrafica: anagrafica?,
            indirizzi: Repeated::new(indirizzi)?,
            prestazione: prestazione?,
            sina: match sina {
                None => None,
                Some(sina) => Some(sina?),
            },
        })
    }
}

/// Reads an element that has attributes and no content.
pub(super) fn read_empty<T: Group>(element: &Element, notices: &mut Vec<Notice>) -> Option<T> {
    let group = T::read(element, notices);
    element.check_empty(notices);
    group
}

/// Reads the texts within the element `container`, which may be absent if `least` is 0. What is wrong with one is told by
/// the name that the list has as a column of a table.
fn read_list<T: Value>(
    children: &mut Sequence<'_>,
    container: &'static str,
    item: &'static str,
    least: usize,
    notices: &mut Vec<Notice>,
) -> Option<Vec<T>> {
    let Some(element) = children.take(container, least, 1, notices).first() else {
        return Some(Vec::new());
    };
    Attributes::new(element, &[], notices);
    let field = if container == "Famiglia" { item } else { container };
    if element.children.is_empty() {
        notices.push(empty_list::<T>(element, field));
        return None;
    }
    let mut items = Sequence::new(element, notices);
    let values = texts(items.take(item, 1, usize::MAX, notices), field, notices);
    items.end(notices);
    values
}

impl Sina {
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiSina::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let necessita =
            read_list(&mut children, "NecessitaInterventiSociali", "CodicePrestazione", 0, notices);
        let invalidita = read_list(&mut children, "InvaliditaCivile", "InvCiv", 0, notices);
        children.end(notices);
        Some(Self { dati: dati?, necessita_interventi_sociali: necessita?, invalidita_civile: invalidita? })
    }
}

impl Sinba {
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiSinba::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let prestazioni = read_list(&mut children, "Prestazioni", "CodicePrestazione", 1, notices);
        let famiglia = read_list(&mut children, "Famiglia", "ComposizioneFamiglia", 1, notices);
        children.end(notices);
        Some(Self {
            dati: dati?,
            prestazioni: Repeated::new(prestazioni?)?,
            famiglia: Repeated::new(famiglia?)?,
        })
    }
}
