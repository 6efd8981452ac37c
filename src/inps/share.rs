//! Which flows are refused, when a share of them is to be.

use std::str::FromStr;

use openssl::sha::sha256;

/// The refusals of the contract.
const REFUSALS: [&str; 3] = ["DATI_NON_TROVATI", "RICHIESTA_INVALIDA", "ERRORE_GENERICO"];

/// A share of the flows that is refused. The same flows with the same seed, however they are pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    percent: u8,
    codes: Vec<&'static str>,
    seed: u64,
}

impl FromStr for Share {
    type Err = String;

    /// `10%`, or with the verdicts to choose from: `10%:ERRORE_GENERICO,RICHIESTA_INVALIDA`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (share, codes) = text.split_once(':').map_or((text, None), |(share, codes)| (share, Some(codes)));
        let percent = share
            .strip_suffix('%')
            .and_then(|share| share.parse().ok())
            .filter(|percent| (1..=100).contains(percent))
            .ok_or_else(|| format!("{share:?} is not a share from 1% to 100%"))?;
        let known = |code: &str| REFUSALS.into_iter().find(|known| *known == code);
        let codes = match codes {
            None => REFUSALS.to_vec(),
            Some(codes) => codes
                .split(',')
                .map(|code| known(code).ok_or_else(|| format!("{code:?} is none of {}", REFUSALS.join(", "))))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { percent, codes, seed: 0 })
    }
}

impl Share {
    /// The same share, of other flows.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The refusal of this flow, if it is among those that are refused.
    pub(super) fn refusal(&self, id_flusso: &str) -> Option<&'static str> {
        let digest = sha256(format!("{}\n{id_flusso}", self.seed).as_bytes());
        let [first, second, third, ..] = digest;
        let place = (u32::from(first) << 8 | u32::from(second)) * 100 / 0x1_0000;
        let code = usize::from(third) % self.codes.len().max(1);
        self.codes.get(code).copied().filter(|_| place < u32::from(self.percent))
    }
}
