//! The receiver's certificates: a CA of its own, kept in a folder, and a server certificate that it
//! signs anew at each start.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::failure::{Doing, Result};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";

/// How long the CA is good for, in days: ten years.
const CA_DAYS: i64 = 3653;

/// How long a server certificate is good for, in days; longer than anybody tries.
const SERVER_DAYS: i64 = 365;

/// What the receiver is called on its own machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A CA that only who gives it to a destination trusts.
pub(crate) struct Authority {
    /// Its certificate's file.
    pub(crate) file: PathBuf,
    /// Its certificate.
    pub(crate) pem: String,
    key: KeyPair,
}

impl Authority {
    /// The CA of a folder; on first use it is made.
    pub(crate) fn ensure(folder: &Path, now: Timestamp) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).doing(folder.display())?;
        let (file, key_file) = (folder.join(CERTIFICATE), folder.join(KEY));
        if file.exists() && key_file.exists() {
            let pem = fs::read_to_string(&file).doing(file.display())?;
            let key = fs::read_to_string(&key_file).doing(key_file.display())?;
            let key = KeyPair::from_pem(&key).doing(key_file.display())?;
            return Ok(Self { file, pem, key });
        }
        let key = KeyPair::generate().doing("make a key pair")?;
        let mut params = authority();
        valid(&mut params, now, CA_DAYS);
        let pem = params.self_signed(&key).doing("sign the CA's certificate")?.pem();
        // The key first: a certificate that is there has a key.
        keep(&key_file, key.serialize_pem().as_bytes())?;
        keep(&file, pem.as_bytes())?;
        Ok(Self { file, pem, key })
    }

    /// What a server shows: a new key, and a certificate for this machine and `name`.
    pub(crate) fn server(&self, name: &str, now: Timestamp) -> Result<Arc<ServerConfig>> {
        let mut names = NAMES.map(str::to_owned).to_vec();
        if !NAMES.contains(&name) {
            names.push(name.to_owned());
        }
        let mut params = CertificateParams::new(names).doing("--name")?;
        params.distinguished_name.push(DnType::CommonName, "Belfry SIEM trial receiver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, SERVER_DAYS);
        let key = KeyPair::generate().doing("make a key pair")?;
        // Name and key are all that a signature needs of the CA, and both are always the same.
        let issuer = Issuer::new(authority(), &self.key);
        let certificate = params.signed_by(&key, &issuer).doing("sign a certificate")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .doing("set up TLS")?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .doing("set up TLS")?;
        Ok(Arc::new(config))
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Belfry SIEM trial CA");
    // It signs servers, and no other CA.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From yesterday on, for clocks that go wrong.
fn valid(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let day = |days: i64| {
        let at = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
        let date = at.to_zoned(TimeZone::UTC).date();
        // Months and days are small.
        let [month, day] = [date.month(), date.day()].map(|part| u8::try_from(part).unwrap_or(1));
        rcgen::date_time_ymd(i32::from(date.year()), month, day)
    };
    (params.not_before, params.not_after) = (day(-1), day(days));
}

/// Keeps a file, readable by its owner only, whole or not at all.
pub(crate) fn keep(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    // One that an interrupted run left behind may have had other permissions.
    let _ = fs::remove_file(&draft);
    let mut options = fs::OpenOptions::new();
    let open = options.write(true).create_new(true).mode(0o600).open(&draft);
    open.and_then(|mut open| open.write_all(bytes)).doing(draft.display())?;
    fs::rename(&draft, file).doing(file.display())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
    use std::os::unix::fs::PermissionsExt;

    /// A folder of this test's own, not there yet.
    pub(crate) fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("belfry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    /// A client that trusts this CA only.
    pub(crate) fn client(pem: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// Whether a client that wants `name` shakes hands with the server.
    fn shakes(client_config: Arc<ClientConfig>, server: Arc<ServerConfig>, name: &str) -> bool {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(client_config, name).unwrap();
        let mut server = ServerConnection::new(server).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut &*wire).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut &*wire).unwrap();
            if client.process_new_packets().is_err() {
                return false;
            }
        }
        true
    }

    #[test]
    fn a_ca_is_made_once_and_its_servers_are_trusted_by_their_names() {
        let folder = folder("siem-ca");
        let now: Timestamp = crate::demo::now();
        let made = Authority::ensure(&folder, now).unwrap();
        let permissions =
            |file: &str| fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!((permissions(KEY), permissions("")), (0o600, 0o700));
        let again = Authority::ensure(&folder, now).unwrap();
        assert_eq!((&made.pem, made.key.serialize_der()), (&again.pem, again.key.serialize_der()));

        let client = client(&made.pem);
        let server = again.server("siem.example.com", now).unwrap();
        for name in ["localhost", "127.0.0.1", "::1", "siem.example.com"] {
            assert!(shakes(client.clone(), server.clone(), name), "{name}");
        }
        assert!(!shakes(client.clone(), server.clone(), "other.example.com"));
        let past = now - SignedDuration::from_hours(24 * (SERVER_DAYS + 2));
        assert!(!shakes(client.clone(), again.server("localhost", past).unwrap(), "localhost"));
        let other = super::tests::folder("siem-other-ca");
        let stranger = Authority::ensure(&other, now).unwrap();
        assert!(!shakes(client, stranger.server("localhost", now).unwrap(), "localhost"));
        fs::remove_dir_all(folder).unwrap();
        fs::remove_dir_all(other).unwrap();
    }
}
