//! Certificates of our own making, as PEM files: a CA, and what it signs.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A CA, a server's certificate for 127.0.0.1 and a client's: paths of files.
pub struct Certificates {
    pub ca: String,
    pub server: (String, String),
    pub client: (String, String),
}

impl Certificates {
    /// Make them, and write them into `folder`.
    pub fn make(folder: &Path) -> Self {
        let write = |name: String, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("disk space");
            path.to_str().expect("a path in UTF-8").to_owned()
        };
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a CA of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("a CA");
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &ca).expect("a certificate").pem();
            let file = |kind: &str, text: String| write(format!("{name}.{kind}.pem"), text);
            (file("cert", certificate), file("key", key.serialize_pem()))
        };
        let (server, client) = (signed("127.0.0.1"), signed("client.example"));
        Self { ca: write("ca.pem".to_owned(), ca.pem()), server, client }
    }
}
