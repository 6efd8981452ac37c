//! Which e-service and which operation a path names.

use std::collections::HashMap;

/// An operation of the contract, or the contract itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `GET /status`.
    Status,
    /// `GET /flussi`.
    Flussi,
    /// `POST /esiti`.
    Esiti,
    /// `GET /openapi.yaml`.
    OpenApi,
}

impl Operation {
    /// The last segment of its path.
    #[must_use]
    fn of(segment: &str) -> Option<Self> {
        match segment {
            "status" => Some(Self::Status),
            "flussi" => Some(Self::Flussi),
            "esiti" => Some(Self::Esiti),
            "openapi.yaml" => Some(Self::OpenApi),
            _ => None,
        }
    }

    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Flussi => "flussi",
            Self::Esiti => "esiti",
            Self::OpenApi => "openapi",
        }
    }

    /// The methods that it answers to, as `Allow` lists them.
    #[must_use]
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Esiti => "POST",
            Self::Status | Self::Flussi | Self::OpenApi => "GET, HEAD",
        }
    }

    /// Whether it answers to `method`.
    pub(super) fn allows(self, method: &str) -> bool {
        self.methods().split(", ").any(|allowed| allowed == method)
    }
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a, T> {
    /// To an operation of an e-service.
    Operation(&'a T, Operation),
    /// To nothing, below an e-service's base path.
    Unknown(&'a T),
    /// To nothing.
    Nowhere,
}

/// The e-services by their base paths: one look-up for each segment of a path, however many they are.
#[derive(Debug)]
pub(super) struct Routes<T>(HashMap<String, T>);

impl<T> Routes<T> {
    /// Routes to `eservices`, each with its base path.
    pub(super) fn new(eservices: impl IntoIterator<Item = (String, T)>) -> Self {
        Self(eservices.into_iter().collect())
    }

    /// All e-services.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// Where `path` leads.
    pub(super) fn find(&self, path: &str) -> Route<'_, T> {
        if let Some((base, segment)) = path.rsplit_once('/')
            && let Some(eservice) = self.0.get(base)
            && let Some(operation) = Operation::of(segment)
        {
            return Route::Operation(eservice, operation);
        }
        let mut base = path;
        loop {
            if let Some(eservice) = self.0.get(base) {
                return Route::Unknown(eservice);
            }
            match base.rsplit_once('/') {
                Some((shorter, _)) => base = shorter,
                None => return Route::Nowhere,
            }
        }
    }
}
