//! Calls to the instances, which may die before they answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Request};
use waas_comuni::clock::Clock;
use waas_comuni::voucher::issuer::{KEY_FILE, Signer};

use crate::run::Stage;

/// Calls for which one voucher is used.
const CALLS_OF_A_VOUCHER: u32 = 500;

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn request_id(&self) -> String {
        self.header("x-request-id").unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A caller with a connection of its own.
pub(crate) struct Http {
    stage: Arc<Stage>,
    agent: ureq::Agent,
}

impl Http {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .new_agent();
        Self { stage, agent }
    }

    /// The answer, if one came whole and has one of these statuses. 503 is none, and must say when to come back; any
    /// other status is a violation.
    pub(crate) fn call(&self, request: Request<Vec<u8>>, expected: &[u16]) -> Option<Answer> {
        let what = format!("{} {}", request.method(), request.uri());
        let request = self.agent.configure_request(request).allow_non_standard_methods(true).build();
        let answer = self.agent.run(request).and_then(|mut response| {
            let body = response.body_mut().with_config().limit(1 << 30).read_to_string()?;
            Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
        });
        let Ok(answer) = answer else {
            self.stage.stats.add("calls without an answer", 1);
            return None;
        };
        match answer.status {
            503 => {
                self.stage.stats.add("answers 503", 1);
                if answer.header("retry-after").is_none() {
                    self.stage.violated(format!("{what}: 503 without Retry-After"));
                }
                None
            }
            status if expected.contains(&status) => Some(answer),
            status => {
                self.stage.violated(format!("{what} was answered {status}: {}", answer.body));
                None
            }
        }
    }
}

/// Vouchers for every e-service.
pub(crate) struct Vouchers {
    stage: Arc<Stage>,
    signer: Signer,
    current: (u32, String),
}

impl Vouchers {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        let signer = Signer::read(&stage.folder.join("keys").join(KEY_FILE)).unwrap();
        Self { stage, signer, current: (0, String::new()) }
    }

    /// The value of `Authorization`: a voucher issued twelve hours ago, good for twelve more.
    pub(crate) fn authorization(&mut self) -> String {
        if self.current.0 == 0 {
            let issued = Clock::System.now_ms() - 12 * 60 * 60 * 1000;
            let clock = Clock::Manual(Arc::new(issued.into()));
            let voucher = self.signer.draft(&self.stage.profile, &clock).sign(&self.signer).unwrap();
            self.current = (CALLS_OF_A_VOUCHER, format!("Bearer {voucher}"));
        }
        self.current.0 -= 1;
        self.current.1.clone()
    }
}
