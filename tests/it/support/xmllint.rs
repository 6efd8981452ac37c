//! libxml2 as judge: what its `xmllint` program says of many documents against an XML schema.
//!
//! Here: running the program on batches, in parallel, and reading its verdicts. What a verdict means for the product
//! is for the tests to say.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

/// Documents that one run of the program looks at: enough that starting it costs nothing.
const PER_RUN: usize = 500;

/// What libxml2 says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// With the first thing that it complained of.
    Invalid(String),
}

impl Verdict {
    pub(crate) fn is_valid(&self) -> bool {
        *self == Self::Valid
    }
}

/// The verdicts on each document, in order: one for each schema.
pub(crate) fn judge(documents: &[&[u8]], schemas: &[&Path]) -> Vec<Vec<Verdict>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = documents.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = documents
            .chunks(share)
            .map(|share| {
                scope.spawn(move || {
                    // Files that are written over again and soon removed never reach the disk.
                    let folder = TempDir::new().unwrap();
                    share.chunks(PER_RUN).flat_map(|run| judge_run(folder.path(), run, schemas)).collect()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| -> Vec<Vec<Verdict>> { worker.join().unwrap() }).collect()
    })
}

fn judge_run(folder: &Path, documents: &[&[u8]], schemas: &[&Path]) -> Vec<Vec<Verdict>> {
    for (index, document) in documents.iter().enumerate() {
        fs::write(folder.join(file_name(index)), document).unwrap();
    }
    let mut verdicts = vec![Vec::with_capacity(schemas.len()); documents.len()];
    for schema in schemas {
        for (verdicts, verdict) in verdicts.iter_mut().zip(run(folder, documents.len(), schema)) {
            verdicts.push(verdict);
        }
    }
    verdicts
}

/// One run of the program, on the first `count` files of `folder`.
fn run(folder: &Path, count: usize, schema: &Path) -> Vec<Verdict> {
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .args((0..count).map(file_name))
        .current_dir(folder)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| {
            panic!("xmllint cannot be run ({error}): install libxml2's programs (Debian: libxml2-utils)")
        });
    let report = String::from_utf8_lossy(&output.stderr);
    // 5: the schema itself could not be compiled.
    assert!(output.status.code().is_some_and(|code| code != 5), "xmllint failed:\n{report}");

    let mut verdicts: HashMap<&str, Verdict> = HashMap::new();
    for line in report.lines() {
        let Some((file, said)) = line.split_once(".xml").filter(|(file, _)| file.parse::<usize>().is_ok())
        else {
            continue;
        };
        // A document whose names are not well-formed in the sense of XML namespaces is only warned about by libxml2,
        // which then validates what it made of them: that is no acceptance.
        if said.contains(" error : ") || said.ends_with(" fails to validate") {
            verdicts.entry(file).or_insert_with(|| Verdict::Invalid(said.to_owned()));
        } else if said == " validates" {
            verdicts.entry(file).or_insert(Verdict::Valid);
        }
    }
    (0..count)
        .map(|index| {
            let verdict = verdicts.remove(index.to_string().as_str());
            verdict.unwrap_or_else(|| panic!("xmllint said nothing of document {index}:\n{report}"))
        })
        .collect()
}

/// The project's own statement of an agreement, in `specs/`.
pub(crate) fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("specs").join(file)
}

/// INPS's own file, where a copy of its documents stands beside the repository.
pub(crate) fn official(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/official").join(file);
    path.exists().then_some(path)
}

fn file_name(index: usize) -> String {
    format!("{index}.xml")
}
