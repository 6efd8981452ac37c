//! Whatever happens, once INPS has dealt with everything it holds what the registry has.

use std::collections::BTreeSet;
use std::slice::from_ref;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use waas_comuni::clock::Clock;
use waas_comuni::registry::{
    CodiceEsito, FlussoSeen, Lookup, Payload, RefusedFilter, RefusedInsertions, Registry, Stato,
};
use waas_comuni::siuss::xml;
use waas_comuni::store::EserviceId;

use super::model::{Inps, Recognition};
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, roma};

#[derive(Clone, Debug)]
enum Step {
    /// A file says this of this benefit.
    Import(u32, u32),
    /// Somebody withdraws it.
    Withdraw(u32),
    /// Somebody sends it again.
    Resend(u32),
    /// INPS takes the next flow, and may refuse it.
    Process(Option<CodiceEsito>),
    /// INPS delivers outcomes: all, or one.
    Deliver(bool, usize),
    /// INPS changes its mind about a flow.
    ChangeMind(usize),
}

/// Benefits.
const BENEFITS: u32 = 2;

fn step() -> impl Strategy<Value = Step> {
    let benefit = 0..BENEFITS;
    let refusal = prop_oneof![
        3 => Just(None),
        2 => prop_oneof![Just(CodiceEsito::ErroreGenerico), Just(CodiceEsito::RichiestaInvalida)].prop_map(Some),
    ];
    prop_oneof![
        4 => (benefit.clone(), 0..3u32).prop_map(|(benefit, content)| Step::Import(benefit, content)),
        2 => benefit.clone().prop_map(Step::Withdraw),
        1 => benefit.prop_map(Step::Resend),
        5 => refusal.prop_map(Step::Process),
        4 => (any::<bool>(), any::<usize>()).prop_map(|(all, pick)| Step::Deliver(all, pick)),
        2 => any::<usize>().prop_map(Step::ChangeMind),
    ]
}

struct World<'a> {
    registry: &'a Registry,
    eservice: EserviceId,
    inps: Inps,
}

impl World<'_> {
    fn id(&self, benefit: u32) -> Option<i64> {
        let found = self.registry.find(self.eservice, &Lookup::Label(benefit.to_string()), 1).unwrap();
        found.first().map(|found| found.id)
    }

    fn process(&mut self, refusal: Option<CodiceEsito>) -> bool {
        let next = self.registry.page(self.eservice, self.inps.cursor(), 1).unwrap().pop();
        next.map(|flusso| self.inps.process(flusso, refusal)).is_some()
    }

    fn deliver(&mut self, all: bool, pick: usize) {
        let esiti = self.inps.deliver(all, pick);
        self.registry.record_esiti(self.eservice, &esiti, "r").unwrap();
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Import(benefit, content) => {
                let record = mensa(&benefit.to_string(), 8000 + content);
                self.registry.publish(self.eservice, &roma(), from_ref(&record)).unwrap();
            }
            Step::Withdraw(benefit) => {
                if let Some(id) = self.id(benefit) {
                    self.registry.withdraw(self.eservice, &roma(), id).unwrap();
                }
            }
            Step::Resend(benefit) => {
                if let Some(id) = self.id(benefit) {
                    self.registry.resend(self.eservice, &roma(), id).unwrap();
                }
            }
            Step::Process(refusal) => {
                self.process(refusal);
            }
            Step::Deliver(all, pick) => self.deliver(all, pick),
            Step::ChangeMind(pick) => {
                // An outcome says nothing of when INPS came to it: one that overtakes a change of mind cannot be told
                // from one that follows it.
                self.deliver(true, 0);
                self.inps.change_mind(pick);
            }
        }
    }

    /// What is listed as open is what is open of all that was ever refused, whichever policy looks at it.
    fn surfaced(&self) -> Result<(), TestCaseError> {
        for cancels in [false, true] {
            let registry = self.registry.clone().with_refused(RefusedInsertions::of(cancels));
            let list = |settled| {
                let filter = RefusedFilter { settled, ..RefusedFilter::default() };
                registry.refused(self.eservice, &filter, None, 1000).unwrap().flows
            };
            let mut ever = list(true);
            let refused = |flow: &FlussoSeen| flow.esiti.iter().any(|esito| esito.codice_esito != "OK");
            let benefits = (0..BENEFITS).flat_map(|benefit| {
                self.registry.find(self.eservice, &Lookup::Label(benefit.to_string()), 1).unwrap()
            });
            let flows = benefits.flat_map(|found| found.flussi).filter(refused).count();
            prop_assert_eq!(ever.len(), flows);
            ever.retain(|flow| flow.case.is_some());
            prop_assert_eq!(list(false), ever);
        }
        Ok(())
    }

    /// INPS deals with everything, and staff with all that is surfaced.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..4 {
            while self.process(None) {}
            self.deliver(true, 0);
            let refused =
                self.registry.refused(self.eservice, &RefusedFilter::default(), None, 1000).unwrap();
            let benefits: BTreeSet<i64> = refused.flows.iter().map(|flow| flow.prestazione).collect();
            for id in benefits {
                self.registry.resend(self.eservice, &roma(), id).unwrap();
            }
        }
        let left = self.registry.refused(self.eservice, &RefusedFilter::default(), None, 1000).unwrap();
        prop_assert!(left.flows.is_empty(), "{left:?}");
        Ok(())
    }

    /// What INPS holds of each benefit and what the registry has.
    fn agree(&self) -> Result<(), TestCaseError> {
        for benefit in 0..BENEFITS {
            let identity = mensa(&benefit.to_string(), 8000).identity();
            let holds = self.inps.holds(&identity);
            let found = self.registry.find(self.eservice, &Lookup::Label(benefit.to_string()), 1).unwrap();
            let active = found.first().filter(|found| found.stato == Stato::Attiva).map(|found| {
                let mut insertions =
                    found.flussi.iter().filter(|flusso| flusso.operazione.as_deref() == Some("I"));
                let Payload::Xml(xml) = &insertions.next_back().unwrap().payload else { panic!("dropped") };
                xml::read(xml).unwrap().record.content()
            });
            let expected: Vec<&str> = active.iter().map(String::as_str).collect();
            prop_assert_eq!(holds, expected);
        }
        Ok(())
    }
}

on_both_databases! {
    fn inps_ends_up_with_what_the_registry_has(database) {
        let store = database.store();
        let case = AtomicI64::new(0);
        let steps = proptest::collection::vec(step(), 1..40);
        let recognition = prop_oneof![Just(Recognition::Each), Just(Recognition::Text), Just(Recognition::Benefit)];
        let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
        runner.run(&(steps, recognition, any::<bool>(), any::<bool>()), |(steps, recognition, lenient, cancels)| {
            let name = format!("prova-{}", case.fetch_add(1, Ordering::SeqCst));
            let registry = Registry::new(store.clone(), Clock::System).with_refused(RefusedInsertions::of(cancels));
            let eservice = store.register_eservice(&name).unwrap();
            let mut world = World { registry: &registry, eservice, inps: Inps::new(recognition, lenient) };
            for step in &steps {
                world.take(step);
                world.surfaced()?;
            }
            world.settle()?;
            world.agree()
        }).unwrap();
    }
}
