//! The attributes of every element of INPS's XML schemas, one type for each element: what it may hold, which of it must be
//! there, and how it is read and written. Which elements make a record is in [`super::record`].

use super::codes::{
    AreaReddituale, AreaSupporto, AreaUtenza, AttivitaVitaQuotidiana, AutoritaProvvedimento, CarattereAffido,
    CarattereInserimentoResidenziale, CaratterePrestazione, CollaborazioniInterventi, CondizioneLavoro,
    CondizioneMinore, DisturbiAreaCognitiva, DisturbiComportamentali, DurataAffido, EsitoAffido,
    EsitoInserimentoStruttura, FasciaEta, FasciaIsee, FonteDerivazioneInvalidita,
    FonteDerivazioneValutazione, FonteSegnalazione, Forma, Genere, InvCivCertificazioni, LuogoVita, Mobilita,
    MotivazioneChiusuraCarico, NecessitaCureSanitarie, Occupazione, PotestaTutela, PresenzaProvaMezzi,
    ScuolaFrequentata, SiNo, SituazioneChiusuraCarico, StrumentoValutazione, TipoDisabilita,
    TipoInserimentoResidenziale, TipoInterventoAffido, TipoOperazione, TipoProvvedimentoGiudiziario,
    TitoloStudio, ValutazioneFamigliaMinore, ValutazioneMinore,
};
use super::element::{Attributes, Element};
use super::fields::Field;
use super::notice::Notice;
use super::values::{CodiceFiscale, Data, Digits, Importo, Intero, MeseAnno, Text, Value};

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
