//! The project's contract against the official one.

use std::collections::BTreeSet;

use serde_yaml_ng::Value;

use super::{Contract, Operation, elements, entries, names};

/// A pattern that every text matches: AgID's checker wants one, the official contract has none.
const ANY_TEXT: &str = r"^[\s\S]*$";

/// Where ours bounds what the official contract leaves without bounds, as AgID's checker demands.
const BOUNDED: [&str; 7] = [
    "elenco_esiti[]: maxProperties",
    "elenco_esiti[].id_flusso: maxLength",
    "elenco_esiti[].tipo: maxLength",
    "elenco_esiti[].ts_flusso: maxLength",
    "elenco_esiti[].ts_acquisizione: maxLength",
    "elenco_esiti[].descrizione_esito: maxLength",
    "elenco_esiti[].id_acquisizione_siuss: maxLength",
];

/// A schema in the contract that it belongs to.
#[derive(Clone, Copy)]
struct Schema<'a> {
    contract: &'a Contract,
    value: &'a Value,
}

impl<'a> Schema<'a> {
    fn new(contract: &'a Contract, value: &'a Value) -> Self {
        Self { contract, value: contract.resolve(value) }
    }

    fn child(self, value: &'a Value) -> Self {
        Self::new(self.contract, value)
    }

    fn text(self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// A bound as a number, exclusive ones made inclusive (they bound integers).
    fn bound(self, name: &str) -> Option<f64> {
        let number = self.value.get(name).and_then(Value::as_f64)?;
        let exclusive =
            name == "maximum" && self.value.get("exclusiveMaximum").and_then(Value::as_bool) == Some(true);
        Some(if exclusive { number - 1.0 } else { number })
    }

    fn set(self, name: &str) -> BTreeSet<&'a str> {
        self.value.get(name).into_iter().flat_map(names).collect()
    }

    fn is_closed(self) -> bool {
        self.value.get("additionalProperties").and_then(Value::as_bool) == Some(false)
    }
}

/// Where `narrow` allows what `wide` does not.
fn beyond(wide: Schema<'_>, narrow: Schema<'_>, at: &str, found: &mut Vec<String>) {
    let mut complain = |what: &str| found.push(format!("{at}: {what}"));
    if wide.text("type") != narrow.text("type") {
        complain("type");
    }
    let null = |schema: Schema<'_>| schema.value.get("nullable").and_then(Value::as_bool) == Some(true);
    if null(narrow) && !null(wide) {
        complain("nullable");
    }
    if wide.set("enum") != narrow.set("enum") {
        complain("enum");
    }
    for name in ["minimum", "minLength", "minItems", "minProperties"] {
        if wide
            .bound(name)
            .is_some_and(|wide| wide > 0.0 && narrow.bound(name).is_none_or(|narrow| narrow < wide))
        {
            complain(name);
        }
    }
    for name in ["maximum", "maxLength", "maxItems", "maxProperties"] {
        if wide.bound(name).is_some_and(|wide| narrow.bound(name).is_none_or(|narrow| narrow > wide)) {
            complain(name);
        }
    }
    let pattern =
        |schema: Schema<'_>| schema.text("pattern").filter(|pattern| *pattern != ANY_TEXT).map(str::to_owned);
    if pattern(wide).is_some() && pattern(wide) != pattern(narrow) {
        complain("pattern");
    }
    if wide.text("format").is_some() && wide.text("format") != narrow.text("format") {
        complain("format");
    }
    if !wide.set("required").is_subset(&narrow.set("required")) {
        complain("required");
    }
    if wide.is_closed() && !narrow.is_closed() && wide.text("type") == Some("object") {
        complain("additionalProperties");
    }

    for (name, narrow_property) in entries(&narrow.value["properties"]) {
        match wide.value["properties"].get(name) {
            Some(wide_property) => {
                beyond(
                    wide.child(wide_property),
                    narrow.child(narrow_property),
                    &format!("{at}.{name}"),
                    found,
                );
            }
            None if wide.is_closed() => found.push(format!("{at}.{name}: not a property")),
            None => {}
        }
    }
    if let (Some(wide_items), Some(narrow_items)) = (wide.value.get("items"), narrow.value.get("items")) {
        beyond(wide.child(wide_items), narrow.child(narrow_items), &format!("{at}[]"), found);
    }
}

/// Both contracts, where the official one is at hand.
fn with_official(test: impl FnOnce(&Contract, &Contract)) {
    if let Some(official) = Contract::official() {
        test(&Contract::own(), &official);
    }
}

fn by_name<'a>(contract: &'a Contract, name: &str) -> Operation<'a> {
    contract.operations().find(|operation| operation.name() == name).unwrap()
}

fn contents<'a>(contract: &'a Contract, message: &'a Value) -> Vec<(&'a str, Schema<'a>)> {
    entries(&message["content"])
        .map(|(media, content)| (media, Schema::new(contract, &content["schema"])))
        .collect()
}

/// What INPS relies on, stated here so that it is watched over where the official contract is not at hand.
#[test]
fn the_contract_states_what_inps_relies_on() {
    let own = Contract::own();
    let operations: BTreeSet<String> = own
        .operations()
        .map(|one| format!("{} {}", one.name(), one.value["operationId"].as_str().unwrap()))
        .collect();
    let expected = ["GET /flussi Flussi", "GET /status healthCheck", "POST /esiti NotificaEsiti"];
    assert_eq!(operations, expected.map(str::to_owned).into());

    let pull = by_name(&own, "GET /flussi");
    let parameter = |name: &str| {
        let parameter =
            elements(&pull.value["parameters"]).find(|parameter| parameter["name"] == name).unwrap();
        let schema = Schema::new(&own, &parameter["schema"]);
        (
            parameter["required"].as_bool(),
            schema.bound("minimum"),
            schema.bound("maximum"),
            schema.bound("default"),
        )
    };
    assert_eq!(parameter("since"), (Some(true), Some(0.0), Some(1e20), None));
    assert_eq!(parameter("limit"), (Some(false), Some(0.0), Some(100.0), Some(10.0)));
    assert_eq!(parameter("max_entries"), (Some(false), Some(0.0), Some(100.0), None));

    let schemas = &own.0["components"]["schemas"];
    let set = |names: &[&'static str]| -> BTreeSet<&'static str> { names.iter().copied().collect() };
    let fields = |name: &str| -> BTreeSet<&str> {
        entries(&schemas[name]["properties"]).map(|(name, _)| name).collect()
    };
    let required = |name: &str| -> BTreeSet<&str> { names(&schemas[name]["required"]).collect() };
    let flusso = set(&["codice_ente", "denominazione_ente", "id_flusso", "ts_flusso", "tipo", "flusso"]);
    assert_eq!((fields("Flusso"), required("Flusso")), (flusso.clone(), flusso));
    let needed = set(&["id_flusso", "tipo", "ts_flusso", "ts_acquisizione", "codice_esito"]);
    let optional = set(&["descrizione_esito", "id_acquisizione_siuss"]);
    assert_eq!(required("EsitoFlusso"), needed);
    assert_eq!(fields("EsitoFlusso"), &needed | &optional);
    assert_eq!(fields("Problem"), set(&["type", "title", "status", "detail", "instance"]));
    assert_eq!(names(&schemas["TipoFlusso"]["enum"]).collect::<Vec<_>>(), ["PS_PSA_SINA", "SINBA"]);
    assert_eq!(
        names(&schemas["EsitoFlusso"]["properties"]["codice_esito"]["enum"]).collect::<BTreeSet<_>>(),
        set(&["OK", "DATI_NON_TROVATI", "RICHIESTA_INVALIDA", "ERRORE_GENERICO"])
    );
    assert_eq!(schemas["EsitoFlusso"]["properties"]["tipo"].get("enum"), None, "any type of flow");
    assert_eq!(required("ElencoEsiti"), set(&[]), "no list is an empty list");
}

#[test]
fn operations_are_the_official_ones() {
    with_official(|own, official| {
        let operations = |contract: &Contract| -> BTreeSet<(String, String)> {
            let operations = contract.operations();
            operations
                .map(|one| (one.name(), one.value["operationId"].as_str().unwrap().to_owned()))
                .collect()
        };
        assert_eq!(operations(own), operations(official));
        assert_eq!(
            own.0["info"]["version"], official.0["info"]["version"],
            "the version of the contract honoured"
        );
    });
}

#[test]
fn parameters_are_the_official_ones_and_optional_ones() {
    with_official(|own, official| {
        for theirs in official.operations() {
            let ours = by_name(own, &theirs.name());
            let their_parameters: Vec<&Value> =
                elements(&theirs.value["parameters"]).map(|parameter| official.resolve(parameter)).collect();
            for parameter in elements(&ours.value["parameters"]).map(|parameter| own.resolve(parameter)) {
                let name = format!("{} {}", ours.name(), parameter["name"].as_str().unwrap());
                let Some(other) = their_parameters.iter().find(|other| other["name"] == parameter["name"])
                else {
                    assert_ne!(parameter["required"], Value::Bool(true), "{name} is not optional");
                    continue;
                };
                assert_eq!(parameter["in"], other["in"], "{name}");
                assert_eq!(parameter["required"], other["required"], "{name}");
                let (our_schema, their_schema) =
                    (Schema::new(own, &parameter["schema"]), Schema::new(official, &other["schema"]));
                assert_eq!(our_schema.value.get("default"), their_schema.value.get("default"), "{name}");
                let mut differences = Vec::new();
                beyond(our_schema, their_schema, &name, &mut differences);
                beyond(their_schema, our_schema, &name, &mut differences);
                assert_eq!(differences, Vec::<String>::new());
            }
            for other in their_parameters {
                assert!(
                    elements(&ours.value["parameters"])
                        .any(|parameter| own.resolve(parameter)["name"] == other["name"]),
                    "{}: {other:?} is missing",
                    ours.name()
                );
            }
        }
    });
}

#[test]
fn requests_that_the_official_contract_allows_are_accepted() {
    with_official(|own, official| {
        for theirs in official.operations() {
            let ours = by_name(own, &theirs.name());
            let (Some(our_body), Some(their_body)) =
                (ours.value.get("requestBody"), theirs.value.get("requestBody"))
            else {
                assert_eq!(ours.value.get("requestBody"), theirs.value.get("requestBody"), "{}", ours.name());
                continue;
            };
            assert_eq!(our_body["required"], their_body["required"]);
            let our_contents = contents(own, our_body);
            for (media, their_schema) in contents(official, their_body) {
                let (_, our_schema) = our_contents.iter().find(|(other, _)| *other == media).unwrap();
                let mut stricter = Vec::new();
                beyond(*our_schema, their_schema, "", &mut stricter);
                let stricter: Vec<&str> = stricter.iter().map(|what| what.trim_start_matches('.')).collect();
                assert_eq!(
                    stricter,
                    BOUNDED.iter().copied().filter(|bound| stricter.contains(bound)).collect::<Vec<_>>()
                );
                fields_are_the_same(*our_schema, their_schema, media);
            }
        }
    });
}

#[test]
fn answers_are_ones_that_the_official_contract_allows() {
    with_official(|own, official| {
        for theirs in official.operations() {
            let ours = by_name(own, &theirs.name());
            let our_responses: Vec<_> = own.responses(&ours).collect();
            for (status, response) in official.responses(&theirs) {
                let name = format!("{} {status}", theirs.name());
                let (_, our_response) = our_responses
                    .iter()
                    .find(|(other, _)| *other == status)
                    .unwrap_or_else(|| panic!("{name} is missing"));
                let their_contents = contents(official, response);
                let our_contents = contents(own, our_response);
                assert_eq!(our_contents.len(), their_contents.len(), "{name}");
                for ((our_media, our_schema), (their_media, their_schema)) in
                    our_contents.iter().zip(&their_contents)
                {
                    assert_eq!(our_media, their_media, "{name}");
                    let mut looser = Vec::new();
                    beyond(*their_schema, *our_schema, &name, &mut looser);
                    assert_eq!(looser, Vec::<String>::new());
                    fields_are_the_same(*our_schema, *their_schema, &name);
                }
            }
        }
    });
}

/// Every field of one is a field of the other, at every depth.
fn fields_are_the_same(own: Schema<'_>, official: Schema<'_>, at: &str) {
    let fields = |schema: Schema<'_>| -> BTreeSet<String> {
        entries(&schema.value["properties"]).map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(fields(own), fields(official), "{at}");
    for (name, property) in entries(&own.value["properties"]) {
        let other = official.child(&official.value["properties"][name]);
        fields_are_the_same(own.child(property), other, &format!("{at}.{name}"));
    }
    if let (Some(ours), Some(theirs)) = (own.value.get("items"), official.value.get("items")) {
        fields_are_the_same(own.child(ours), official.child(theirs), &format!("{at}[]"));
    }
}

#[test]
fn what_the_official_contract_protects_is_protected() {
    with_official(|own, official| {
        for theirs in official.operations().filter(|operation| operation.value.get("security").is_some()) {
            assert_eq!(
                by_name(own, &theirs.name()).value["security"],
                theirs.value["security"],
                "{}",
                theirs.name()
            );
        }
        let scheme = |contract: &Contract, name: &str| {
            contract.0["components"]["securitySchemes"]["PDND"][name].clone()
        };
        for name in ["type", "scheme", "bearerFormat"] {
            assert_eq!(scheme(own, name), scheme(official, name));
        }
    });
}
