//! Records to publish.

use waas_comuni::siuss::record::{EnteErogatore, Record, TipoOperazione};
use waas_comuni::siuss::xml;

/// The Comune of the examples.
pub(crate) fn roma() -> EnteErogatore {
    EnteErogatore::new("H501", "Comune di Roma", "H501", "RSSMRA80A01H501U").unwrap()
}

/// School meals, asked for with this protocol, at this monthly price (more than 20.00) in cents.
pub(crate) fn mensa(protocollo: &str, cents: u32) -> Record {
    let (price, share) = (euro(cents), euro(cents - 2000));
    read(&format!(
        "<Beneficiario CodiceFiscale=\"CNTLCU15E09H501T\">\
         <Anagrafica Cognome=\"Conti\" Nome=\"Luca\" AnnoNascita=\"2015\" LuogoNascita=\"H501\" Genere=\"1\" \
         CodiceCittadinanza=\"380\"/>\
         <Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
         <PrestazioniSociali PresenzaProvaMezzi=\"1\" CaratterePrestazione=\"1\" \
         NumeroProtocolloDSU=\"INPS-ISEE-2020-01234567A-00\" AnnoProtocolloDSU=\"2020\" DataDSU=\"2020-01-14\" \
         CodicePrestazione=\"A2.12\" DenominazionePrestazione=\"Mensa scolastica\" \
         ProtocolloDomanda=\"{protocollo}\" DataEvento=\"2020-08-25\" DataInizioPrestazione=\"2020-09-01\" \
         DataFinePrestazione=\"2020-12-31\" PeriodoErogazione=\"4\" ImportoMensile=\"{price}\" \
         ImportoQuotaEnte=\"{share}\" ImportoQuotaUtente=\"20.00\" ImportoQuotaRichiesta=\"{price}\" \
         ImportoSogliaISEE=\"5560.00\" PresaCarico=\"2\"/></Beneficiario>"
    ))
}

/// A child in care, at a school of this code.
pub(crate) fn minore(id: &str, scuola: u32) -> Record {
    read(&format!(
        "<SINBA IDBeneficiario=\"{id}\" MinoreStranieroNoAcc=\"2\" CondizioneMinore=\"1\" LuogoVita=\"1\" \
         ScuolaFrequentata=\"{scuola}\" CondizioneLavoro=\"1\" Disabilita=\"2\" DataPrimaSegnalazione=\"03/2024\" \
         FonteSegnalazione=\"13\" ValutazioneMinore=\"2\" ValutazioneFamigliaMinore=\"2\" \
         SegnalazioneAutoritaGiudiziaria=\"2\" ProvvedimentoGiudiziario=\"2\" FasciaEtaBeneficiario=\"4\" \
         AnnoNascita=\"2014\" CodiceRegioneResidenza=\"08\" CodiceNazioneResidenza=\"380\">\
         <Prestazioni><CodicePrestazione>A2.02</CodicePrestazione></Prestazioni>\
         <Famiglia><ComposizioneFamiglia>1</ComposizioneFamiglia></Famiglia></SINBA>"
    ))
}

/// The same record, to be withdrawn.
pub(crate) fn withdrawn(record: &Record) -> Record {
    record.clone().with_operazione(TipoOperazione::Cancellazione)
}

fn euro(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn read(record: &str) -> Record {
    let flusso = format!(
        "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"n\">\
         <Ente Codice=\"H501\" Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
         {record}</Flusso>"
    );
    xml::read(flusso.as_bytes()).unwrap().record
}
