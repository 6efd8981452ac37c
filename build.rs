//! Embeds what the console's pages are dressed with: our own style and script, and Bootstrap Italia where
//! `scripts/assets.sh` has fetched it. Each file is served under a name with a hash of its content, so that it may be
//! kept for ever.

#[path = "build/guida.rs"]
mod guida;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// What the binary is built from.
struct Builder {
    out: PathBuf,
    /// The generated table, entry by entry.
    table: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=docs");
    let vendor = Path::new("assets/vendor");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut builder = Builder { out, table: String::new() };

    let mut own_style = fs::read_to_string("assets/console.css")?;
    let mut constants = String::new();
    let mut styles = Vec::new();
    if vendor.join("licenze.txt").exists() {
        for font in FONTS {
            let name = builder.add(font, "font/woff2", &fs::read(vendor.join(font))?, false)?;
            own_style = own_style.replace(font, &name);
        }
        let style = fs::read_to_string(vendor.join("bootstrap-italia.min.css"))?;
        styles.push(builder.add("bootstrap-italia.css", CSS, used(&style).as_bytes(), true)?);
        let sprites = sprites(&fs::read_to_string(vendor.join("sprites.svg"))?, &icons()?)?;
        let name = builder.add("icone.svg", "image/svg+xml", sprites.as_bytes(), true)?;
        writeln!(constants, "pub(super) const ICONS: Option<&str> = Some({name:?});")?;
        let licences = fs::read(vendor.join("licenze.txt"))?;
        let name = builder.add("licenze.txt", "text/plain; charset=utf-8", &licences, true)?;
        writeln!(constants, "pub(super) const LICENCES: Option<&str> = Some({name:?});")?;
    } else {
        println!(
            "cargo::warning=Bootstrap Italia is not there: the console's pages will be plain. Run scripts/assets.sh \
             (it needs npm) and build again."
        );
        let plain = fs::read_to_string("assets/plain.css")?;
        styles.push(builder.add("semplice.css", CSS, plain.as_bytes(), true)?);
        // Without their files the fonts are not even to be asked for.
        own_style = own_style.split("/* fonts */").nth(1).unwrap_or_default().to_owned();
        constants.push_str("pub(super) const ICONS: Option<&str> = None;\n");
        constants.push_str("pub(super) const LICENCES: Option<&str> = None;\n");
    }
    styles.push(builder.add("console.css", CSS, own_style.as_bytes(), true)?);
    let script = fs::read("assets/console.js")?;
    let script = builder.add("console.js", "text/javascript; charset=utf-8", &script, true)?;
    writeln!(constants, "pub(super) const STYLES: &[&str] = &{styles:?};")?;
    writeln!(constants, "pub(super) const SCRIPT: &str = {script:?};")?;
    let guide = guida::table(|path| {
        let picture = fs::read(Path::new("docs").join(path))?;
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        Ok(format!("/risorse/{}", builder.add(name, "image/png", &picture, false)?))
    })?;
    fs::write(builder.out.join("guida.rs"), guide)?;
    let table = format!("pub(super) const ASSETS: &[Asset] = &[\n{}];\n{constants}", builder.table);
    fs::write(builder.out.join("assets.rs"), table)?;
    Ok(())
}

const CSS: &str = "text/css; charset=utf-8";

const FONTS: [&str; 5] = [
    "titillium-web-regular.woff2",
    "titillium-web-italic.woff2",
    "titillium-web-600.woff2",
    "titillium-web-700.woff2",
    "roboto-mono.woff2",
];

impl Builder {
    /// Embeds a file; gives the name under which it is served.
    fn add(
        &mut self,
        name: &str,
        content_type: &str,
        content: &[u8],
        compress: bool,
    ) -> Result<String, Box<dyn Error>> {
        let mut hasher = DefaultHasher::new();
        hasher.write(content);
        let (stem, extension) = name.rsplit_once('.').ok_or("a file without an extension")?;
        let served = format!("{stem}-{:016x}.{extension}", hasher.finish());
        fs::write(self.out.join(&served), content)?;
        let gzip = if compress {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content)?;
            fs::write(self.out.join(format!("{served}.gz")), encoder.finish()?)?;
            format!("Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{served}.gz\")))")
        } else {
            "None".to_owned()
        };
        writeln!(
            self.table,
            "    Asset {{ name: {served:?}, content_type: {content_type:?}, gzip: {gzip},\n        \
             plain: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{served}\")) }},"
        )?;
        Ok(served)
    }
}

/// The style without what no page uses: the fonts inside it, which are the video player's and which the pages' policy
/// forbids, and the name of the map for those who change it.
fn used(style: &str) -> String {
    let style = style.split("/*# sourceMappingURL").next().unwrap_or_default();
    let mut parts = style.split("@font-face{");
    let mut used = parts.next().unwrap_or_default().to_owned();
    used.extend(parts.map(|part| part.split_once('}').map_or("", |(_, rest)| rest)));
    used
}

/// The names of the icons in the templates.
fn icons() -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::from("templates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let found = text.split("icon(\"it-").skip(1).filter_map(|rest| rest.split('"').next());
            names.extend(found.map(|name| format!("it-{name}")));
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The sprite with these icons alone.
fn sprites(all: &str, icons: &[String]) -> Result<String, Box<dyn Error>> {
    let mut sprites = "<svg xmlns=\"http://www.w3.org/2000/svg\">".to_owned();
    for icon in icons {
        let begin = format!("<symbol id=\"{icon}\"");
        let (_, rest) =
            all.split_once(&begin).ok_or_else(|| format!("Bootstrap Italia has no icon {icon}"))?;
        let (symbol, _) = rest.split_once("</symbol>").ok_or("a symbol without an end")?;
        sprites.extend([begin.as_str(), symbol, "</symbol>"]);
    }
    sprites.push_str("</svg>");
    Ok(sprites)
}
