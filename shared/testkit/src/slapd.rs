//! A real directory: Debian's `slapd` on an address of this machine that nobody else has, filled before it
//! starts, gone when dropped. Needs the package `slapd`.
//!
//! Entries may have Active Directory's attributes (`msuser.schema`), and any other by `extensibleObject`.
//! It is one directory with two faces: [`Ldif::open_ldap_user`] and [`Ldif::active_directory_user`].

use crate::FixedResolver;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use belfry_domain::directory::ldap::{Flavor, LdapSettings, Security};
use belfry_domain::outbound::Reach;
use belfry_runtime::outbound::{Outbound, Patience};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The name in the server's certificate.
pub const HOST: &str = "ldap.example.com";
/// Where the tree begins.
pub const BASE: &str = "dc=example,dc=com";
/// As whom it is read. It may read everything, at most 500 entries at once.
pub const READER: &str = "cn=belfry,dc=example,dc=com";
/// The reader's password.
pub const PASSWORD: &str = "correct horse";
/// Who may change it, with the same password.
pub const ADMIN: &str = "cn=admin,dc=example,dc=com";
/// Where it speaks in clear text until asked for TLS.
pub const PLAIN_PORT: u16 = 3268;
/// Where it speaks TLS.
pub const TLS_PORT: u16 = 3269;

/// Both ports of a directory that need no privileges have fixed numbers, so each server has an address of
/// its own in 127/8.
pub fn free_address() -> IpAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let [_, a, b, c] = std::process::id().wrapping_mul(64).wrapping_add(taken).to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(127, 1 + a % 250, b, c));
        let free = [PLAIN_PORT, TLS_PORT].map(|port| TcpListener::bind((address, port)));
        if free.iter().all(Result::is_ok) {
            return address;
        }
    }
}

/// An authority, and a certificate by it for [`HOST`] and an address, with its key, in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority.
    pub ca: String,
    /// The server's certificate.
    pub certificate: String,
    /// The server's key.
    pub key: String,
}

impl Certificates {
    /// New ones, for [`HOST`] alone.
    pub fn new() -> Self {
        Self::of(vec![HOST.to_owned()])
    }

    /// New ones, for names and addresses.
    fn of(names: Vec<String>) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        Self { ca, certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

/// Entries for [`Slapd::start`]. It begins with the base and the reader.
#[derive(Debug, Clone)]
pub struct Ldif(String);

impl Default for Ldif {
    fn default() -> Self {
        Self::new()
    }
}

impl Ldif {
    /// The base and the reader.
    pub fn new() -> Self {
        let mut ldif = Self(String::new());
        ldif.entry(BASE, &[("objectClass", "domain"), ("dc", "example")]);
        let reader = [
            ("objectClass", "organizationalRole"),
            ("objectClass", "simpleSecurityObject"),
            ("cn", "belfry"),
            ("userPassword", PASSWORD),
        ];
        ldif.entry(READER, &reader);
        ldif
    }

    /// One more.
    pub fn entry(&mut self, dn: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let bytes: Vec<_> =
            attributes.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.entry_of_bytes(dn, &bytes)
    }

    /// One more, whose values need not be text.
    pub fn entry_of_bytes(&mut self, dn: &str, attributes: &[(&str, &[u8])]) -> &mut Self {
        writeln!(self.0, "dn:: {}", BASE64_STANDARD.encode(dn)).unwrap();
        for (name, value) in attributes {
            writeln!(self.0, "{name}:: {}", BASE64_STANDARD.encode(value)).unwrap();
        }
        self.0.push('\n');
        self
    }

    /// A user as `OpenLDAP` has them: `uid=ann,dc=example,dc=com` with the address `ann@example.com`.
    pub fn open_ldap_user(&mut self, uid: &str, other: &[(&str, &str)]) -> &mut Self {
        let mail = format!("{uid}@example.com");
        let mut attributes = vec![
            ("objectClass", "inetOrgPerson"),
            ("objectClass", "extensibleObject"),
            ("uid", uid),
            ("cn", uid),
            ("sn", "Lee"),
            ("givenName", uid),
            ("mail", &mail),
        ];
        attributes.extend(other);
        self.entry(&format!("uid={uid},{BASE}"), &attributes)
    }

    /// A group as `OpenLDAP` has them: `cn=Staff,dc=example,dc=com`; members by `uid`.
    pub fn open_ldap_group(&mut self, cn: &str, members: &[&str]) -> &mut Self {
        let members: Vec<_> = members.iter().map(|uid| format!("uid={uid},{BASE}")).collect();
        let mut attributes = vec![("objectClass", "groupOfNames"), ("cn", cn)];
        attributes.extend(members.iter().map(|dn| ("member", dn.as_str())));
        self.entry(&format!("cn={cn},{BASE}"), &attributes)
    }

    /// A user as Active Directory has them: `cn=ann,dc=example,dc=com`; its `objectGUID` has 16 times the
    /// byte `guid`, its `userAccountControl` is `control`.
    pub fn active_directory_user(
        &mut self,
        cn: &str,
        guid: u8,
        control: &str,
        other: &[(&str, &str)],
    ) -> &mut Self {
        let (mail, principal) = (format!("{cn}@example.com"), format!("{cn}@corp.example.com"));
        let mut attributes: Vec<(&str, &[u8])> = vec![("sn", b"Lee")];
        attributes.extend([
            ("givenName", cn.as_bytes()),
            ("mail", mail.as_bytes()),
            ("userPrincipalName", principal.as_bytes()),
            ("userAccountControl", control.as_bytes()),
        ]);
        attributes.extend(other.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.active_directory_entry("user", cn, &[guid; 16], &attributes)
    }

    /// A group as Active Directory has them; members by `cn`. Its members have to be given their `memberOf`.
    pub fn active_directory_group(&mut self, cn: &str, guid: u8, members: &[&str]) -> &mut Self {
        let members: Vec<_> = members.iter().map(|cn| format!("cn={cn},{BASE}")).collect();
        let mut attributes: Vec<(&str, &[u8])> = vec![("groupType", b"2")];
        attributes.extend(members.iter().map(|dn| ("member", dn.as_bytes())));
        self.active_directory_entry("group", cn, &[guid; 16], &attributes)
    }

    /// An entry of Active Directory by its class, `user` or `group`, and the bytes of its `objectGUID`.
    pub fn active_directory_entry(
        &mut self,
        class: &str,
        cn: &str,
        guid: &[u8; 16],
        other: &[(&str, &[u8])],
    ) -> &mut Self {
        let mut attributes: Vec<(&str, &[u8])> = vec![
            // Values of one attribute stand together.
            ("objectClass", class.as_bytes()),
            ("objectClass", b"extensibleObject"),
            ("cn", cn.as_bytes()),
            ("objectGUID", guid),
            // What its schema asks of every entry.
            ("instanceType", b"4"),
            ("nTSecurityDescriptor", b"x"),
            ("objectCategory", BASE.as_bytes()),
        ];
        attributes.extend(other);
        self.entry_of_bytes(&format!("cn={cn},{BASE}"), &attributes)
    }

    /// A company as `OpenLDAP` has it: so many users, `user00000` and on, dealt out to so many groups,
    /// `group000` and on.
    pub fn company(users: usize, groups: usize) -> Self {
        let mut ldif = Self::new();
        let names: Vec<_> = (0..users).map(|user| format!("user{user:05}")).collect();
        for name in &names {
            ldif.open_ldap_user(name, &[("title", "Clerk")]);
        }
        for group in 0..groups {
            let members: Vec<_> =
                names.iter().skip(group).step_by(groups).map(String::as_str).collect();
            ldif.open_ldap_group(&format!("group{group:03}"), &members);
        }
        ldif
    }
}

/// A running directory.
#[derive(Debug)]
pub struct Slapd {
    child: Option<Child>,
    folder: PathBuf,
    address: IpAddr,
    certificates: Option<Certificates>,
}

impl Slapd {
    /// With a new certificate, for its name and its address.
    pub fn start(ldif: &Ldif) -> Self {
        let address = free_address();
        let certificates = Certificates::of(vec![HOST.to_owned(), address.to_string()]);
        Self::start_at(address, ldif, Some(certificates))
    }

    /// Without TLS, when there is no certificate: it refuses `StartTLS` then.
    pub fn start_with(ldif: &Ldif, certificates: Option<Certificates>) -> Self {
        Self::start_at(free_address(), ldif, certificates)
    }

    fn start_at(address: IpAddr, ldif: &Ldif, certificates: Option<Certificates>) -> Self {
        let folder = std::env::temp_dir().join(format!("belfry-slapd-{address}"));
        // One that was killed may have left it.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("db")).unwrap();
        let configuration = folder.join("slapd.conf");
        fs::write(&configuration, configuration_for(&folder, certificates.as_ref())).unwrap();
        let entries = folder.join("entries.ldif");
        fs::write(&entries, &ldif.0).unwrap();
        let loaded = Command::new("/usr/sbin/slapadd")
            .args(["-q", "-f"])
            .arg(&configuration)
            .arg("-l")
            .arg(&entries)
            .output()
            .expect("Debian's package slapd is installed");
        let said = String::from_utf8_lossy(&loaded.stderr);
        assert!(loaded.status.success(), "slapadd: {said}");
        let mut slapd = Self { child: None, folder, address, certificates };
        slapd.run();
        slapd
    }

    /// Starts it with what is in it: after [`Self::kill`], too.
    pub fn run(&mut self) {
        let Self { folder, address, certificates, .. } = self;
        let tls = certificates.as_ref().map(|_| format!(" ldaps://{address}:{TLS_PORT}"));
        let log = File::create(folder.join("log")).unwrap();
        let mut child = Command::new("/usr/sbin/slapd")
            .arg("-f")
            .arg(folder.join("slapd.conf"))
            .arg("-h")
            .arg(format!("ldap://{address}:{PLAIN_PORT}{}", tls.unwrap_or_default()))
            // In the foreground.
            .args(["-d", "0"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        // It opens one port after the other.
        let last = if certificates.is_some() { TLS_PORT } else { PLAIN_PORT };
        while TcpStream::connect((*address, last)).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(folder.join("log")).unwrap());
            std::thread::yield_now();
        }
        self.child = Some(child);
    }

    /// Changes what is in it (LDIF, RFC 2849), as its administrator.
    pub fn change(&self, ldif: &str) {
        let file = self.folder.join("changes.ldif");
        fs::write(&file, ldif).unwrap();
        let done = Command::new("ldapmodify")
            .args(["-x", "-D", ADMIN, "-w", PASSWORD, "-H"])
            .arg(format!("ldap://{}:{PLAIN_PORT}", self.address))
            .arg("-f")
            .arg(&file)
            .output()
            .expect("Debian's package ldap-utils is installed");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "ldapmodify: {said}");
    }

    /// Where it is.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How it is read, by an administrator who has set up everything well.
    pub fn settings(&self, security: Security, flavor: Flavor) -> LdapSettings {
        LdapSettings {
            host: HOST.parse().unwrap(),
            port: if security == Security::Ldaps { TLS_PORT } else { PLAIN_PORT },
            security,
            ca_pem: self.certificates.as_ref().map(|certificates| certificates.ca.clone()),
            base_dn: BASE.parse().unwrap(),
            bind_dn: READER.parse().unwrap(),
            filter: flavor.users().unwrap(),
        }
    }

    /// A network in which every name is the directory's.
    pub fn network(&self) -> Outbound {
        network_of(self.address)
    }

    /// Ends it at once, as a failing machine does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A network in which every name is at this address of this machine.
pub fn network_of(address: IpAddr) -> Outbound {
    let resolver = Arc::new(FixedResolver(vec![address]));
    Outbound::new(resolver, Reach::LocalStack, Patience::default())
}

fn configuration_for(folder: &Path, certificates: Option<&Certificates>) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis", "msuser"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    text.push_str("modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n");
    if let Some(Certificates { ca, certificate, key }) = certificates {
        for (name, directive, pem) in [
            ("ca.pem", "TLSCACertificateFile", ca),
            ("certificate.pem", "TLSCertificateFile", certificate),
            ("key.pem", "TLSCertificateKeyFile", key),
        ] {
            let path = folder.join(name);
            fs::write(&path, pem).unwrap();
            writeln!(text, "{directive} {}", path.display()).unwrap();
        }
    }
    let folder = folder.display();
    write!(
        text,
        "pidfile {folder}/pid\ndatabase mdb\nsuffix {BASE}\nrootdn {ADMIN}\nrootpw \"{PASSWORD}\"\n\
         directory {folder}/db\nmaxsize 1073741824\nindex objectClass,uid,cn,member eq\n\
         limits * size.soft=500 size.hard=500 size.prtotal=unlimited\noverlay memberof\n"
    )
    .unwrap();
    text
}
