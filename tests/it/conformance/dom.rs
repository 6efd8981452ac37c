//! A tree of XML and the many ways to write it down, independent of the product's own reader and writer.
//!
//! Here: names, namespaces, escapes, declarations, white space. What a document says is not known here.

use super::random::Random;

/// The namespace of every element of a flow.
pub(crate) const CASELLARIO: &str = "http://inps.it/Casellario";
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
    /// Written as it stands.
    Raw(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// Empty: none.
    pub(crate) namespace: String,
    /// Names as written, in the order in which they are written.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: CASELLARIO.to_owned(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(existing, _)| existing == name) {
            Some((_, existing)) => *existing = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = (usize, &Element)> {
        self.children.iter().enumerate().filter_map(|(index, node)| match node {
            Node::Element(element) => Some((index, element)),
            Node::Text(_) | Node::Raw(_) => None,
        })
    }

    /// The element at the end of a path of child indices.
    pub(crate) fn at(&mut self, path: &[usize]) -> &mut Element {
        match path {
            [] => self,
            [first, rest @ ..] => match &mut self.children[*first] {
                Node::Element(child) => child.at(rest),
                Node::Text(_) | Node::Raw(_) => panic!("not an element"),
            },
        }
    }
}

/// How a document is written down, where XML leaves the choice.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) declaration: &'static str,
    /// Written between the declaration and the root.
    pub(crate) prolog: String,
    /// The prefix of the flow's namespace; without one it is the default namespace.
    prefix: Option<&'static str>,
    indentation: &'static str,
    /// Whether comments and processing instructions stand wherever they may.
    chatter: bool,
    /// Whether text may be CDATA, any character a reference, and a space in an attribute a line break.
    fancy: bool,
}

impl Style {
    pub(crate) fn arbitrary(random: &mut Random) -> Self {
        let declarations = [
            "",
            "<?xml version=\"1.0\"?>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "<?xml version='1.0' encoding='utf-8' ?>\r\n",
            "<?xml  version = \"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\" standalone='no'?>",
            "\u{FEFF}",
        ];
        let prefixes = [None, None, Some("f"), Some("ns2"), Some("_c.a-s"), Some("perché")];
        Self {
            declaration: random.pick(&declarations),
            prolog: random.pick(&["", "\n", "<!-- un flusso -->", "<?nota x?>\n"]).to_string(),
            prefix: random.pick(&prefixes),
            indentation: random.pick(&["", "\n  ", "\r\n\t", " "]),
            chatter: random.chance(20),
            fancy: random.chance(40),
        }
    }
}

/// The document's text.
pub(crate) fn write(root: &Element, style: &Style, random: &mut Random) -> String {
    let mut writer = Writer { out: String::from(style.declaration), style, random };
    writer.out.push_str(&style.prolog);
    writer.element(root, "", false);
    let epilogue = writer.random.pick(&["", "\n", "<!-- fine -->", "\n<?nota?> "]);
    writer.out.push_str(epilogue);
    writer.out
}

struct Writer<'a> {
    out: String,
    style: &'a Style,
    random: &'a mut Random,
}

impl Writer<'_> {
    fn element(&mut self, element: &Element, default_namespace: &str, prefix_declared: bool) {
        let prefix = self.style.prefix.filter(|_| element.namespace == CASELLARIO);
        let name = prefix.map_or_else(|| element.name.clone(), |prefix| format!("{prefix}:{}", element.name));
        self.out.push('<');
        self.out.push_str(&name);
        match prefix {
            Some(prefix) if !prefix_declared => self.attribute(&format!("xmlns:{prefix}"), CASELLARIO),
            None if element.namespace != default_namespace => self.attribute("xmlns", &element.namespace),
            Some(_) | None => {}
        }
        for (name, value) in &element.attributes {
            self.attribute(name, value);
        }
        if self.random.chance(10) {
            self.out.push_str(self.style.indentation);
        }

        if element.children.is_empty() && !self.style.chatter && self.random.chance(70) {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        self.content(
            element,
            prefix.map_or(&element.namespace, |_| default_namespace),
            prefix_declared || prefix.is_some(),
        );
        self.out.push_str("</");
        self.out.push_str(&name);
        if self.random.chance(5) {
            self.out.push(' ');
        }
        self.out.push('>');
    }

    fn content(&mut self, element: &Element, default_namespace: &str, prefix_declared: bool) {
        let spaced = element.elements().next().is_some();
        for node in &element.children {
            if spaced {
                self.out.push_str(self.style.indentation);
            }
            self.chatter();
            match node {
                Node::Element(child) => self.element(child, default_namespace, prefix_declared),
                Node::Text(text) => self.text(text),
                Node::Raw(raw) => self.out.push_str(raw),
            }
        }
        self.chatter();
        if spaced {
            self.out.push_str(self.style.indentation);
        }
    }

    fn chatter(&mut self) {
        if self.style.chatter && self.random.chance(30) {
            let said = self.random.pick(&["<!-- nota -->", "<!---->", "<?nota?>", "<?nota a > b?>"]);
            self.out.push_str(said);
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let (before, equals) = if self.style.fancy {
            (self.random.pick(&["\n", "  ", "\t"]), self.random.pick(&["=", " = "]))
        } else {
            (" ", "=")
        };
        self.out.push_str(before);
        self.out.push_str(name);
        self.out.push_str(equals);
        let quote = if self.random.chance(80) { '"' } else { '\'' };
        self.out.push(quote);
        for character in value.chars() {
            match character {
                '\t' | '\n' | '\r' => self.reference(character),
                ' ' if self.style.fancy && !name.starts_with("xmlns") && self.random.chance(5) => {
                    self.out.push(self.random.pick(&['\n', '\t']));
                }
                '"' if quote == '"' => self.out.push_str("&quot;"),
                '\'' if quote == '\'' => self.out.push_str("&apos;"),
                _ => self.character(character),
            }
        }
        self.out.push(quote);
    }

    fn text(&mut self, text: &str) {
        if self.style.fancy && !text.contains("]]>") && !text.contains('\r') && self.random.chance(30) {
            self.out.push_str("<![CDATA[");
            self.out.push_str(text);
            self.out.push_str("]]>");
            return;
        }
        for character in text.chars() {
            match character {
                '\r' => self.reference(character),
                '>' => self.out.push_str("&gt;"),
                _ => self.character(character),
            }
            if self.random.chance(1) {
                self.chatter();
            }
        }
    }

    fn character(&mut self, character: char) {
        match character {
            '&' => self.out.push_str("&amp;"),
            '<' => self.out.push_str("&lt;"),
            '>' if self.random.chance(50) => self.out.push_str("&gt;"),
            '"' if self.style.fancy => self.out.push_str("&quot;"),
            _ if self.style.fancy && self.random.chance(5) => self.reference(character),
            _ => self.out.push(character),
        }
    }

    fn reference(&mut self, character: char) {
        let code = u32::from(character);
        let reference = match self.random.below(3) {
            0 => format!("&#{code};"),
            1 => format!("&#x{code:X};"),
            _ => format!("&#x{code:06x};"),
        };
        self.out.push_str(&reference);
    }
}
