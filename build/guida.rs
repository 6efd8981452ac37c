//! The guide that the console shows: those pages of `docs/` that are for its users, as HTML.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// The pages, the first one first: files of `docs/` without their extension.
const PAGES: [&str; 10] = [
    "manuale",
    "regole",
    "esiti",
    "registro-chiamate",
    "protezione-dati",
    "tracing",
    "pubblicazione-pdnd",
    "collaudo",
    "installazione",
    "aggiornamento",
];

/// Where the console shows them.
const FOLDER: &str = "/guida";

/// Writes the table of the pages; `picture` embeds a file of `docs/` and gives the address under which it is served.
pub(super) fn table(
    mut picture: impl FnMut(&str) -> Result<String, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut table = "const PAGES: &[Document] = &[\n".to_owned();
    for name in PAGES {
        let text = fs::read_to_string(format!("docs/{name}.md"))?;
        let page = page(&text, &mut picture)?;
        writeln!(
            table,
            "    Document {{ name: {name:?}, title: {:?}, headings: &{:?}, html: {:?} }},",
            page.title, page.headings, page.html
        )?;
    }
    table.push_str("];\n");
    Ok(table)
}

#[derive(Default)]
struct Page {
    title: String,
    /// Those of the second level: id and text.
    headings: Vec<(String, String)>,
    html: String,
}

fn page(
    text: &str,
    picture: &mut impl FnMut(&str) -> Result<String, Box<dyn Error>>,
) -> Result<Page, Box<dyn Error>> {
    let mut page = Page::default();
    let mut events = Vec::new();
    let mut parser = Parser::new_ext(text, Options::ENABLE_TABLES);
    while let Some(event) = parser.next() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let inner: Vec<Event<'_>> = parser
                    .by_ref()
                    .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
                    .collect();
                let words: String = inner.iter().map(said).collect();
                if level == HeadingLevel::H1 {
                    // The frame of the page shows it.
                    page.title = words;
                    continue;
                }
                let id = slug(&words);
                let level_name = level.to_string();
                events.push(Event::Html(format!("<{level_name} id=\"{id}\">").into()));
                events.extend(inner);
                events.push(Event::Html(format!("</{level_name}>\n").into()));
                if level == HeadingLevel::H2 {
                    page.headings.push((id, words));
                }
            }
            Event::Start(Tag::Link { dest_url, title, id, .. }) => {
                let inner: Vec<Event<'_>> =
                    parser.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Link))).collect();
                // What leads to a page that is not here keeps its text alone.
                let Some(place) = address(&dest_url) else {
                    events.extend(inner);
                    continue;
                };
                let dest_url = CowStr::from(place);
                events.push(Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, title, id }));
                let words: String = inner.iter().map(said).collect();
                // Users know pages by their titles, not by their files.
                match words.strip_suffix(".md").filter(|name| PAGES.contains(name)) {
                    Some(name) => events.push(Event::Text(title_of(name)?.into())),
                    None => events.extend(inner),
                }
                events.push(Event::End(TagEnd::Link));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                let inner = parser.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Image)));
                let words: String = inner.map(|event| said(&event)).collect();
                let mut alternative = String::new();
                html::push_html(&mut alternative, std::iter::once(Event::Text(words.into())));
                let alternative = alternative.replace('"', "&quot;");
                let path = picture(&dest_url)?;
                events.push(Event::InlineHtml(
                    format!(
                        "<img class=\"img-fluid\" loading=\"lazy\" src=\"{path}\" alt=\"{alternative}\">"
                    )
                    .into(),
                ));
            }
            // On a phone a table is wider than the page, and is moved with the keyboard too.
            Event::Start(Tag::Table(columns)) => {
                let region =
                    "<div class=\"console-table\" role=\"group\" aria-label=\"Tabella\" tabindex=\"0\">\n";
                events.push(Event::Html(region.into()));
                events.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                events.push(Event::End(TagEnd::Table));
                events.push(Event::Html("</div>\n".into()));
            }
            // Those who write the pages leave notes in them.
            Event::Html(note) if note.starts_with("<!--") => {}
            other => events.push(other),
        }
    }
    html::push_html(&mut page.html, events.into_iter());
    page.html = page.html.replace("<table>", "<table class=\"table\">");
    Ok(page)
}

/// The title of a page.
fn title_of(name: &str) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(format!("docs/{name}.md"))?;
    let title = text.lines().find_map(|line| line.strip_prefix("# "));
    Ok(title.ok_or_else(|| format!("docs/{name}.md has no title"))?.to_owned())
}

/// The words of a part of a heading or of a picture's description.
fn said(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        Event::SoftBreak => " ".to_owned(),
        _ => String::new(),
    }
}

/// Where a link leads in the console; none if what it leads to is not there.
fn address(link: &str) -> Option<String> {
    if link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (file, fragment) = link.split_once('#').map_or((link, ""), |(file, fragment)| (file, fragment));
    let name = file.strip_suffix(".md").filter(|name| PAGES.contains(name))?;
    let name = if PAGES.first() == Some(&name) { String::new() } else { format!("/{name}") };
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    Some(format!("{FOLDER}{name}{fragment}"))
}

/// The name by which links lead to a heading, as GitHub makes it.
fn slug(words: &str) -> String {
    let kept = words.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}
