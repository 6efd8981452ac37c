//! The deployment: e-services and enti, what is left to do on PDND, loaded tables, accepted risks, the checks of `doctor`.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;

use super::SERVIZIO;
use crate::api::openapi;
use crate::call_log::progress;
use crate::codes;
use crate::config::check::{self, Finding as ConfigFinding};
use crate::config::{Ente, Environment};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::parts::{AT_ONCE, Part, Parts};
use crate::console::refusal::Refusal;
use crate::console::visit::{self, Visit};
use crate::console::{Served, text};
use crate::doctor::{self, Finding, Severity, Topic};

#[derive(Template)]
#[template(path = "amministrazione/servizio.html")]
struct Servizio {
    frame: Frame,
    eservices: Vec<EService>,
    /// Where there are more e-services than are shown: which these are, and where the others are.
    part: Option<Part>,
    /// Name, codes, day and source of each table.
    tables: Vec<[String; 4]>,
    risks: Vec<ConfigFinding>,
}

/// An e-service, and what is left to do to publish it.
struct EService {
    name: String,
    environment: String,
    path: String,
    enti: Vec<Ente>,
    openapi: String,
    steps: Vec<Step>,
}

/// A step of the publication on PDND.
struct Step {
    done: bool,
    text: &'static str,
    /// What to do, or what there is.
    detail: String,
}

#[derive(Template)]
#[template(path = "amministrazione/controlli.html")]
struct Controlli {
    frame: Frame,
    findings: Vec<Controllo>,
}

/// What a check found.
struct Controllo {
    badge: &'static str,
    stato: &'static str,
    /// What was checked, and what it means that it stands so.
    what: &'static str,
    means: &'static str,
    /// What the command line says of it.
    detail: Finding,
}

impl Controllo {
    fn new(detail: Finding) -> Self {
        let (badge, stato) = match detail.severity {
            Severity::Ok => ("ok", "a posto"),
            Severity::Warning => ("attenzione", "da guardare"),
            Severity::Error => ("errore", "da riparare"),
        };
        let (what, [good, bad]) = match detail.topic {
            Topic::Configuration => (
                "Configurazione",
                [
                    "Nessuna impostazione è sbagliata né rischiosa.",
                    "Un'impostazione è sbagliata o rischiosa: la corregge chi gestisce il servizio.",
                ],
            ),
            Topic::Database => (
                "Database e disco",
                [
                    "Il database risponde, con le tabelle di questa versione, e c'è spazio.",
                    "Il database non risponde, non è di questa versione, o lo spazio sul disco sta per finire: se si \
                     ferma, INPS riceve 503 e nulla si pubblica.",
                ],
            ),
            Topic::Keys => (
                "Chiavi di PDND e orologio",
                [
                    "Le chiamate di INPS si possono verificare.",
                    "Le chiavi di PDND non si leggono, o l'orologio della macchina sbaglia: le chiamate di INPS sono o \
                     saranno respinte.",
                ],
            ),
            Topic::Certificate => (
                "Certificato",
                [
                    "Il certificato del servizio è in vigore e ha il nome giusto.",
                    "Il certificato scade, è scaduto o non è quello giusto: INPS potrebbe non riuscire a collegarsi.",
                ],
            ),
            Topic::Backlog => (
                "Flussi in attesa",
                [
                    "INPS può prendere in tempo ciò che aspetta.",
                    "I flussi in attesa chiedono troppi giorni alle soglie dichiarate, oppure un ripristino può averne \
                     fatti mancare.",
                ],
            ),
            Topic::Tracing => (
                "Conteggi a PDND",
                [
                    "I conteggi dovuti a PDND sono inviati o lo saranno in tempo.",
                    "Un conteggio dovuto a PDND manca, è in errore, o non si può inviare.",
                ],
            ),
        };
        let means = if detail.severity == Severity::Ok { good } else { bad };
        Self { badge, stato, what, means, detail }
    }
}

pub(super) async fn show(visit: Visit) -> Answer {
    let console = &visit.console;
    let mut eservices = Vec::new();
    let names = visit.eservices().map(|served| served.config.name.as_str());
    let parts = Parts::new(SERVIZIO, "E-service", names, visit.query.text("da"));
    for served in visit.eservices().skip(parts.first).take(AT_ONCE) {
        eservices.push(eservice(&visit, served).await?);
    }
    let store = console.store.clone();
    let tables = console.blocking(move || codes::list(&store)).await?.map_err(|error| {
        tracing::error!(%error, "the loaded tables cannot be listed");
        Refusal::Unavailable
    })?;
    let tables = tables.into_iter().map(|table| {
        [
            table.table.as_str().to_owned(),
            text::number(u64::try_from(table.codes).unwrap_or(u64::MAX)),
            table.date.unwrap_or_else(|| "quella del programma".to_owned()),
            table.source,
        ]
    });
    let page = Servizio {
        frame: visit.frame("Amministrazione").below("Cruscotto", "/"),
        eservices,
        part: parts.shown(),
        tables: tables.collect(),
        risks: check::check(&visit.config()?),
    };
    visit::show(&page)
}

async fn eservice(visit: &Visit, served: &Served) -> Result<EService, Refusal> {
    let (config, id, scope) = (&served.config, served.id, &visit.account()?.scope);
    let last = visit.console.store.read_async(move |connection| progress(connection, id)).await?;
    let bound =
        config.producer_id.is_some() || (config.eservice_id.is_some() && !config.descriptor_ids.is_empty());
    let public_url = visit.console.config.api.public_url.as_deref();
    let step = |done: bool, text: &'static str, detail: &str| Step { done, text, detail: detail.to_owned() };
    let mut steps = vec![
        step(
            public_url.is_some_and(|url| url.starts_with("https://")),
            "Indirizzo pubblico del servizio",
            public_url.unwrap_or("impostare api.public_url, https"),
        ),
        step(
            config.contact_email.is_some() && config.terms_url.is_some(),
            "Referente e condizioni d'uso",
            "contact_email e terms_url, che vanno nel file OpenAPI",
        ),
        Step {
            done: true,
            text: "Soglie da dichiarare",
            detail: format!(
                "{} chiamate al giorno per fruitore, {} in tutto",
                config.daily_calls_per_consumer, config.daily_calls_total
            ),
        },
        step(
            bound,
            "Identificativi dell'e-service",
            "producer_id, o eservice_id e descriptor_ids, dalla scheda su PDND dopo la pubblicazione",
        ),
        step(
            !config.consumer_ids.is_empty(),
            "Identificativo di INPS come fruitore",
            "consumer_ids, dalla richiesta di fruizione",
        ),
        step(
            served.keys.status().keys > 0,
            "Chiavi di PDND lette",
            "si leggono da sole quando la macchina raggiunge PDND",
        ),
    ];
    let last_text = last.map(|last| text::instant(last.instant.as_millisecond()));
    steps.push(step(
        last.is_some(),
        "Prima chiamata di INPS",
        last_text.as_deref().unwrap_or(
            "scrivere a INPS nome, codice Belfiore e indirizzi IP del servizio in collaudo e in produzione",
        ),
    ));
    if config.environment == Environment::Locale {
        // It is for trying things out, and is published nowhere.
        steps.clear();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(config.name.as_bytes()).collect();
    Ok(EService {
        name: config.name.clone(),
        environment: format!("{:?}", config.environment).to_lowercase(),
        path: config.base_path.clone(),
        enti: config.ente.iter().filter(|ente| scope.includes_ente(id, &ente.codice)).cloned().collect(),
        openapi: format!("/amministrazione/openapi/{}", encoded.replace('+', "%20")),
        steps,
    })
}

/// The contract to publish on PDND.
pub(super) fn openapi(visit: &Visit) -> Answer {
    let name = visit.parameter("eservice")?;
    let served = visit.eservices().find(|served| served.config.name == name).ok_or(Refusal::NotFound)?;
    let document = openapi::document(&served.config, visit.console.config.api.public_url.as_deref());
    Ok(HttpResponse::Ok()
        .content_type("application/yaml")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"openapi.yaml\""))
        .body(document))
}

/// Runs the checks of `doctor`, which wait for the network.
pub(super) async fn examine(visit: Visit) -> Answer {
    let (config, clock) = (visit.config()?, visit.console.clock.clone());
    let examined = visit.console.blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok::<_, std::io::Error>(doctor::examine(&config, &clock, &runtime))
    });
    let mut findings = examined.await?.map_err(|error| {
        tracing::error!(%error, "the checks cannot be run");
        Refusal::Unavailable
    })?;
    // What waits is counted for all enti of an e-service: `doctor::backlog` says it under this subject.
    let scope = &visit.account()?.scope;
    for served in visit.eservices() {
        let seen = |ente: &Ente| scope.includes_ente(served.id, &ente.codice);
        if !served.config.ente.iter().all(seen) {
            let subject = format!("pulls of {}", served.config.name);
            findings.retain(|finding| finding.subject != subject);
        }
    }
    visit::show(&Controlli {
        frame: visit.frame("Controlli").below("Cruscotto", "/").below("Amministrazione", SERVIZIO),
        findings: findings.into_iter().map(Controllo::new).collect(),
    })
}
