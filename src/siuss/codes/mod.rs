//! The enumerated codes of the flows, with what each means.
//!
//! Lists of INPS's XML schemas; meanings in the project's words. Codes of benefits (`A2.12`) are not here: they change
//! without a new schema and live in [`super::tables`].

mod sinba;

use super::values::Value;

pub use sinba::*;

/// A closed list of codes.
pub trait Code: Value + Copy + 'static {
    /// Every code with its meaning, in the order of the list.
    const LIST: &'static [(Self, &'static str, &'static str)];

    /// What the code means, in Italian.
    fn label(self) -> &'static str;
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident $code:literal $label:literal),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $label] $variant),+
        }

        impl Value for $name {
            const CODES: &'static [(&'static str, &'static str)] = &[$(($code, $label)),+];

            fn expected() -> String {
                let meanings: Vec<String> =
                    Self::LIST.iter().map(|(_, code, label)| format!("{code} ({label})")).collect();
                format!("uno di questi codici: {}", meanings.join(", "))
            }

            fn read(text: &str) -> Option<Self> {
                match text {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn write(&self, out: &mut String) {
                out.push_str(match self {
                    $(Self::$variant => $code),+
                });
            }
        }

        impl Code for $name {
            const LIST: &'static [(Self, &'static str, &'static str)] = &[$((Self::$variant, $code, $label)),+];

            fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label),+
                }
            }
        }
    )+};
}

pub(super) use codes;

codes! {
    /// What a flow asks INPS to do with its record.
    TipoOperazione {
        Inserimento "I" "Inserimento",
        Cancellazione "C" "Cancellazione",
    }

    /// Yes or no, as `PresaCarico`, `Disabilita` and others state it.
    SiNo {
        Si "1" "Sì",
        No "2" "No",
    }

    /// Sex of the beneficiary.
    Genere {
        Maschio "1" "Maschio",
        Femmina "2" "Femmina",
    }

    /// Whether the benefit depends on the person's means.
    PresenzaProvaMezzi {
        Isee "1" "Soggetta a ISEE",
        AltraProva "2" "Soggetta a una prova dei mezzi diversa dall'ISEE",
        Esentata "3" "Soggetta a ISEE, ma questa persona ne è esentata",
        Nessuna "4" "Non soggetta a prova dei mezzi",
    }

    /// Whether the benefit is granted month by month or once.
    CaratterePrestazione {
        Periodica "1" "Periodica",
        Occasionale "2" "Occasionale",
    }

    /// The area of need in which the person is followed.
    AreaUtenza {
        FamigliaMinori "1" "Famiglia e minori",
        Disabilita "2" "Disabilità e non autosufficienza",
        Poverta "3" "Povertà ed esclusione sociale",
    }

    /// How the person moves.
    Mobilita {
        DaSolo "1" "Si sposta da solo",
        Assistito "2" "Si sposta se assistito",
        NonSiSposta "3" "Non si sposta",
    }

    /// Autonomy in daily life.
    AttivitaVitaQuotidiana {
        Autonomo "1" "Autonomo",
        ParzialmenteDipendente "2" "Parzialmente dipendente",
        TotalmenteDipendente "3" "Totalmente dipendente",
    }

    /// Cognitive disorders.
    DisturbiAreaCognitiva {
        Lievi "1" "Lievi",
        Moderati "2" "Moderati",
        Gravi "3" "Gravi",
    }

    /// Behavioural disorders.
    DisturbiComportamentali {
        Assenti "1" "Assenti",
        Presenti "2" "Presenti",
    }

    /// Need of health care.
    NecessitaCureSanitarie {
        Bassa "1" "Bassa",
        Media "2" "Media",
        Alta "3" "Alta",
    }

    /// Income and help.
    AreaReddituale {
        Autonoma "1" "Economicamente autonomo",
        Aiutata "2" "Aiutato da parenti o da altri",
        Bisogno "3" "In bisogno economico e senza aiuti",
    }

    /// The network of family and friends.
    AreaSupporto {
        Presente "1" "Rete familiare o informale presente",
        Parziale "2" "Rete presente in parte o per periodi",
        Assente "3" "Rete assente",
    }

    /// Where the assessment comes from.
    FonteDerivazioneValutazione {
        Uvm "1" "UVM",
        CartellaSociale "2" "Cartella sociale",
        AltraDocumentazione "3" "Altra documentazione",
        RaccoltaDiretta "4" "Raccolta diretta",
    }

    /// The instrument of the assessment.
    StrumentoValutazione {
        Svama "1" "SVAMA",
        Aged "2" "AGED",
        Rug "3" "RUG",
        Sosia "4" "SOSIA",
        SchemaPolare "5" "Schema polare",
        Valgraf "6" "VALGRAF",
        Altro "7" "Altro sistema di codifica",
    }

    /// A certificate of disability, as SINA lists them.
    InvCiv {
        Parziale "1" "Invalidità civile parziale, almeno 75%",
        TotaleConAccompagnamento "2" "Invalidità civile totale con accompagnamento",
        TotaleSenzaAccompagnamento "3" "Invalidità civile totale senza accompagnamento",
        Npi "4" "Certificazione NPI",
        Legge104Art3Comma1 "5" "Legge 104, art. 3 comma 1",
        Legge104Art3Comma3 "6" "Legge 104, art. 3 comma 3",
        Legge104Art12 "7" "Legge 104, art. 12",
        Legge104Art13 "8" "Legge 104, art. 13",
    }

    /// Where the statement of disability comes from.
    FonteDerivazioneInvalidita {
        Certificazione "1" "Certificazione verificata",
        Dichiarazione "2" "Dichiarazione della persona",
    }
}
