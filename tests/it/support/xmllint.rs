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

/// Documents on disk, ready to be judged by any number of schemas.
pub(crate) struct Batch {
    folder: TempDir,
    documents: usize,
}

impl Batch {
    pub(crate) fn new<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut count = 0;
        for document in documents {
            fs::write(folder.path().join(file_name(count)), document).unwrap();
            count += 1;
        }
        Self { folder, documents: count }
    }

    /// The verdict on each document, in order.
    pub(crate) fn judge(&self, schema: &Path) -> Vec<Verdict> {
        let indices: Vec<usize> = (0..self.documents).collect();
        let runs: Vec<&[usize]> = indices.chunks(PER_RUN).collect();
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let share = runs.len().div_ceil(workers).max(1);
        thread::scope(|scope| {
            let workers: Vec<_> = runs
                .chunks(share)
                .map(|runs| scope.spawn(move || runs.iter().flat_map(|run| self.run(schema, run)).collect()))
                .collect();
            workers.into_iter().flat_map(|worker| -> Vec<Verdict> { worker.join().unwrap() }).collect()
        })
    }

    fn run(&self, schema: &Path, documents: &[usize]) -> Vec<Verdict> {
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(schema)
            .args(documents.iter().map(|index| file_name(*index)))
            .current_dir(self.folder.path())
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
            let Some((file, said)) =
                line.split_once(".xml").filter(|(file, _)| file.parse::<usize>().is_ok())
            else {
                continue;
            };
            // A document whose names are not well-formed in the sense of XML namespaces is only warned about by
            // libxml2, which then validates what it made of them: that is no acceptance.
            if said.contains(" error : ") || said.ends_with(" fails to validate") {
                verdicts.entry(file).or_insert_with(|| Verdict::Invalid(said.to_owned()));
            } else if said == " validates" {
                verdicts.entry(file).or_insert(Verdict::Valid);
            }
        }
        documents
            .iter()
            .map(|index| {
                let verdict = verdicts.remove(index.to_string().as_str());
                verdict.unwrap_or_else(|| panic!("xmllint said nothing of document {index}:\n{report}"))
            })
            .collect()
    }
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
