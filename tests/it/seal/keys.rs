//! Keys and notes, beside what others have signed.

use std::os::unix::fs::PermissionsExt;

use waas_comuni::call_log::seal::note::{Note, PublicKey, SigningKey, Trust};

/// The example of the package `golang.org/x/mod/sumdb/note`, which defined the form.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_another_program_is_believed() {
    let key: PublicKey = KEY.parse().unwrap();
    assert_eq!(key.verifier_key("PeterNeumann"), KEY);
    let trust = |note: &str, name: &str| Note::read(note).unwrap().trust(std::slice::from_ref(&key), name);
    assert_eq!(trust(NOTE, "PeterNeumann"), Trust::Signed);
    assert_eq!(trust(NOTE, "EnochRoot"), Trust::Unknown);
    assert_eq!(trust(&NOTE.replace("cryptography", "Cryptography"), "PeterNeumann"), Trust::Forged);
    for (from, to) in [("c74f20a3", "c74f20a4"), ("ARpc", "Arpc"), ("PeterNeumann+", ""), ("+ARpc", "+ARp!")]
    {
        assert!(KEY.replace(from, to).parse::<PublicKey>().is_err());
    }
}

#[test]
fn what_is_no_note_is_refused() {
    for text in ["", "a\n", "a\n\n", "a\n\nb\n", "a\n\n— b\n", "a\n\n— b c d\n", "a\n\n— b QUFB"] {
        assert_eq!(Note::read(text), None, "{text:?}");
    }
}

#[test]
fn a_key_is_for_its_owner_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = SigningKey::generate(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(SigningKey::generate(&path).is_err());
    let note = SigningKey::read(&path).unwrap().sign("a/b", "text\n").unwrap();
    let public = folder.path().join("key.pub");
    std::fs::write(&public, key.public().unwrap().pem().unwrap()).unwrap();
    for key in [PublicKey::read(&path).unwrap(), PublicKey::read(&public).unwrap()] {
        assert_eq!(Note::read(&note).unwrap().trust(&[key], "a/b"), Trust::Signed);
    }
    std::fs::write(&public, "-----BEGIN PUBLIC KEY-----\n").unwrap();
    assert!(PublicKey::read(&public).is_err() && SigningKey::read(&public).is_err());
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    std::fs::write(&public, rsa.public_key_to_pem().unwrap()).unwrap();
    assert!(PublicKey::read(&public).is_err());
}
