//! The vendor's key pairs, which sign activation keys: Ed25519 in a file of its owner.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belfry_domain::license::activation_key::VendorKey;
use serde_json::{Value, json};

use crate::failure::{Doing, Failure, Result};
use crate::workspace::Workspace;

/// The local stack's two, in `.local`; the first one signs. Two, because a stack takes two.
const LOCAL: [&str; 2] = ["vendor-key-1.pem", "vendor-key-2.pem"];

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Characters of a line (RFC 7468, section 2).
const COLUMNS: usize = 64;

/// A DER public key (RFC 8410, section 4) is this and the 32 bytes of the key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Where a new key pair goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Keygen {
    /// File of the private key, which must not be there yet
    #[arg(long)]
    out: PathBuf,
}

impl Keygen {
    /// Makes the pair, and says what is to be done with its public half.
    pub(crate) fn run(&self) -> Result<Value> {
        let public = generate(&self.out)?;
        Ok(json!({
            "status": "ok", "file": self.out, "public_key": public.text(),
            "key_id": hex::encode(public.id()),
        }))
    }

    pub(crate) fn text(&self, public: &Value) -> String {
        let text = |field| public.get(field).and_then(Value::as_str).unwrap_or_default();
        format!(
            "Private key  {}\nPublic key   {}\nKey id       {}\n\n\
             The public key goes into the stack's parameter VendorKeys: at most two of them, comma\n\
             separated, so that the next one is known before the first is taken away.",
            self.out.display(),
            text("public_key"),
            text("key_id"),
        )
    }
}

/// Makes a key pair, and keeps the private half in a file that is not there yet.
pub(crate) fn generate(file: &Path) -> Result<VendorKey> {
    let pair = Ed25519KeyPair::generate().doing("make a key pair")?;
    // Version 1, which OpenSSL reads as well.
    let der = pair.to_pkcs8v1().doing("make a key pair")?;
    let mut options = fs::OpenOptions::new();
    let open = options.write(true).create_new(true).mode(0o600).open(file);
    let mut open = match open {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::new(format!("{} is there already", file.display()))
                .next("A private key is never overwritten: name another file."));
        }
        open => open.doing(file.display())?,
    };
    open.write_all(pem(der.as_ref()).as_bytes()).doing(file.display())?;
    open.sync_all().doing(file.display())?;
    public(&pair)
}

/// The key pair in a file.
pub(crate) fn read(file: &Path) -> Result<Ed25519KeyPair> {
    let text = fs::read_to_string(file).doing(file.display())?;
    der(&text).and_then(|der| Ed25519KeyPair::from_pkcs8(&der).ok()).ok_or_else(|| {
        Failure::new(format!("{} holds no Ed25519 private key", file.display()))
            .next("Make one: belfry license keygen --out FILE")
    })
}

/// The public half.
pub(crate) fn public(pair: &Ed25519KeyPair) -> Result<VendorKey> {
    let bytes = pair.public_key().as_ref().try_into().doing("the public key of a pair")?;
    Ok(VendorKey::from_bytes(bytes))
}

/// The public key that KMS tells, in DER.
pub(crate) fn from_spki(der: &[u8]) -> Option<VendorKey> {
    der.strip_prefix(&SPKI)?.try_into().ok().map(VendorKey::from_bytes)
}

/// Where the local stack's key is that signs.
pub(crate) fn local(workspace: &Workspace) -> PathBuf {
    let [first, _] = LOCAL;
    workspace.local(first)
}

/// The local stack's public keys; what is missing is made. They outlive the stack: who has written one
/// down need not look again.
pub(crate) fn ensure_local(workspace: &Workspace) -> Result<[VendorKey; 2]> {
    let [first, second] = LOCAL.map(|name| {
        let file = workspace.local(name);
        if file.exists() { read(&file).and_then(|pair| public(&pair)) } else { generate(&file) }
    });
    Ok([first?, second?])
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![BEGIN];
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
        lines.push(line);
        rest = after;
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines.push(END);
    lines.join("\n") + "\n"
}

fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (text, _) = rest.split_once(END)?;
    STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use std::os::unix::fs::PermissionsExt;

    /// A folder of this test's own, empty.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("belfry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_key_pair_is_its_owners_and_reads_back() {
        let folder = folder("keygen");
        let file = folder.join("key.pem");
        let made = generate(&file).unwrap();
        let permissions = fs::metadata(&file).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(BEGIN) && text.ends_with(&format!("{END}\n")), "{text}");
        assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");

        let pair = read(&file).unwrap();
        assert_eq!(public(&pair).unwrap(), made);
        let signature = pair.sign(b"message");
        let key = UnparsedPublicKey::new(&ED25519, made.bytes());
        assert!(key.verify(b"message", signature.as_ref()).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten() {
        let folder = folder("keygen-twice");
        let file = folder.join("key.pem");
        fs::write(&file, "precious").unwrap();
        let failure = Keygen { out: file.clone() }.run().unwrap_err();
        assert!(failure.what.contains("is there already") && failure.next.is_some());
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(read(&file).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_private_key_as_openssl_writes_it_is_read() {
        // RFC 8410, sections 10.1 and 10.3.
        let text = "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
             -----END PRIVATE KEY-----\n";
        assert_eq!(pem(&der(text).unwrap()), text);
        let pair = Ed25519KeyPair::from_pkcs8(&der(text).unwrap()).unwrap();
        let wanted = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";
        assert_eq!(public(&pair).unwrap().text(), wanted);
    }

    #[test]
    fn lines_are_of_64_columns() {
        for length in [0, 47, 48, 49, 96, 200] {
            let bytes = vec![7; length];
            let text = pem(&bytes);
            assert!(text.lines().all(|line| line.len() <= COLUMNS && !line.is_empty()), "{text}");
            assert_eq!(der(&text), Some(bytes));
        }
    }

    #[test]
    fn a_public_key_is_read_from_der() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let told: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        assert_eq!(from_spki(told.as_ref()), public(&pair).ok());
        let (short, long) = (&told.as_ref()[..43], [told.as_ref(), &[0]].concat());
        let mut other = told.as_ref().to_vec();
        // X25519 in place of Ed25519.
        other[8] = 0x6e;
        for bad in [short, &long, &other, &[]] {
            assert_eq!(from_spki(bad), None);
        }
    }
}
