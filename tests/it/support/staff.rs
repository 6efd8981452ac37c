//! The ente's own people at the console, over HTTP: a browser without a screen and without scripts.

use std::cell::RefCell;

use secrecy::SecretString;
use url::form_urlencoded;
use waas_comuni::staff::{self, Edit, Role, Roles, Scope, password};

use super::app::{Answer, App};
use super::watch::WATCH;

/// The password of everybody in the tests, once it is their own.
pub(crate) const PASSWORD: &str = "quattro gatti al sole";

/// The content type of [`multipart`].
pub(crate) const MULTIPART: &str = "multipart/form-data; boundary=----prova";

/// A form with a file behind its fields, as browsers send it.
pub(crate) fn multipart(fields: &[(&str, &str)], name: &str, content: &[u8]) -> Vec<u8> {
    let part = |head: &str| format!("------prova\r\nContent-Disposition: form-data; {head}\r\n");
    let mut parts: Vec<String> = fields
        .iter()
        .map(|(field, value)| part(&format!("name=\"{field}\"")) + "\r\n" + value + "\r\n")
        .collect();
    parts.push(part(&format!("name=\"file\"; filename=\"{name}\"")));
    let body = parts.concat() + "Content-Type: application/octet-stream\r\n\r\n";
    [body.as_bytes(), content, b"\r\n------prova--\r\n"].concat()
}

/// Somebody with a browser.
pub(crate) struct Visitor<'a> {
    app: &'a App,
    pub(crate) cookie: RefCell<Option<String>>,
    /// The token of the last page's forms.
    pub(crate) token: RefCell<String>,
}

impl App {
    /// Makes an account with these roles and a password of its own.
    pub(crate) fn account(&self, name: &str, roles: &[Role]) {
        self.account_within(name, roles, Scope::default());
    }

    /// The same, limited.
    pub(crate) fn account_within(&self, name: &str, roles: &[Role], scope: Scope) {
        let hash = password::hash(&SecretString::from(PASSWORD)).unwrap();
        let roles = Roles::new(roles.iter().copied()).unwrap();
        let edit = Edit { full_name: format!("Utente {name}"), roles, scope };
        self.store
            .write(|connection| {
                assert!(staff::add(connection, name, &edit, Some(&hash), 0)?);
                staff::set_password(connection, name, &hash, false)
            })
            .unwrap();
    }

    /// Somebody who comes to the console for the first time.
    pub(crate) fn visitor(&self) -> Visitor<'_> {
        Visitor { app: self, cookie: RefCell::default(), token: RefCell::default() }
    }

    /// Somebody who is signed in to an account made for them.
    pub(crate) fn signed_in(&self, name: &str, roles: &[Role]) -> Visitor<'_> {
        self.account(name, roles);
        let visitor = self.visitor();
        let answer = visitor.sign_in(name, PASSWORD);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
        visitor
    }
}

impl Visitor<'_> {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// Sends a form with the token of the last page.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token.borrow().clone();
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("gettone", &token)
            .extend_pairs(fields)
            .finish();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &headers, body.as_bytes())
    }

    /// Sends a form with a file, and the token of the last page.
    pub(crate) fn upload(&self, path: &str, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Answer {
        let token = self.token.borrow().clone();
        let mut all = vec![("gettone", token.as_str())];
        all.extend(fields);
        self.send("POST", path, &[("Content-Type", MULTIPART)], &multipart(&all, name, content))
    }

    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.get("/accesso");
        self.post("/accesso", &[("nome", name), ("password", password)])
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let cookie = self.cookie.borrow().clone();
        let mut all = headers.to_vec();
        if let Some(cookie) = &cookie {
            all.push(("Cookie", cookie));
        }
        let answer = self.app.send_back_office(method, path, &all, body);
        if let Some(set) = answer.header("set-cookie") {
            *self.cookie.borrow_mut() = set.split(';').next().map(str::to_owned);
            let value = set.split(['=', ';']).nth(1).unwrap_or_default();
            WATCH.keep_secret(value);
            WATCH.keep_secret(PASSWORD);
        }
        if let Some((_, rest)) = answer.body.split_once("name=\"gettone\" value=\"") {
            rest.split('"').next().unwrap().clone_into(&mut self.token.borrow_mut());
        }
        answer
    }
}
