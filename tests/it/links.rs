//! The pages lead where they say: every relative link in them is to something that there is.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn pages(root: &Path) -> Vec<PathBuf> {
    let folders = [root.to_owned(), root.join("docs")];
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let link = Regex::new(r"\]\(([^)#\s]+)[^)]*\)").unwrap();
    let mut count = 0;
    for page in pages(root) {
        let text = fs::read_to_string(&page).unwrap();
        for target in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            assert!(page.parent().unwrap().join(&target).exists(), "{}: {target}", page.display());
            count += 1;
        }
    }
    assert!(count > 30, "the pages are linked: {count}");
}
