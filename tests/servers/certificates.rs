//! Certificates of our own making, as PEM files: a CA, and what it signs.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::run::Room;

/// A CA, a server's certificate for 127.0.0.1 and a client's: paths of files.
pub struct Certificates {
    _room: Room,
    pub ca: String,
    pub server: (String, String),
    pub client: (String, String),
}

impl Certificates {
    pub fn make() -> Self {
        let room = Room::new();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a CA of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("a CA");
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &ca).expect("a certificate").pem();
            let file = |kind: &str, text: String| room.write(&format!("{name}.{kind}.pem"), text);
            (file("cert", certificate), file("key", key.serialize_pem()))
        };
        let (server, client) = (signed("127.0.0.1"), signed("client.example"));
        Self { ca: room.write("ca.pem", ca.pem()), server, client, _room: room }
    }
}
