//! A real rsyslog over TLS, unprivileged, with a directory of its own.

use crate::pki::Ca;
use crate::world::RECEIVER;
use belfry_domain::siem::record::StreamName;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Rsyslog {
    dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) ca: Ca,
    child: Option<Child>,
    /// How often it was started: each life writes a file of its own.
    lives: u32,
}

/// What a line says of the record that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) stream: StreamName,
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) message: String,
}

fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = places.into_iter().map(|place| place.join("rsyslogd")).find(|file| file.exists());
    found.expect("there is no rsyslogd: install Debian's packages rsyslog and rsyslog-openssl")
}

impl Rsyslog {
    pub(crate) async fn start() -> Self {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let dir = std::env::temp_dir().join(format!("belfry-rsyslog-{port}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let ca = Ca::new();
        let pair = ca.issue(RECEIVER, (2020, 2040));
        for (name, pem) in
            [("ca.pem", &ca.pem), ("certificate.pem", &pair.certificate), ("key.pem", &pair.key)]
        {
            fs::write(dir.join(name), pem).unwrap();
        }
        let mut this = Self { dir, port, ca, child: None, lives: 0 };
        this.revive().await;
        this
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// Starts it, again after a kill, and waits until it accepts.
    pub(crate) async fn revive(&mut self) {
        self.lives += 1;
        // Without queues: what it confirms is written.
        let config = format!(
            r#"global(workDirectory="{dir}" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}" maxMessageSize="64k")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="raw" type="string" string="%rawmsg%\n")
ruleset(name="taken" queue.type="Direct") {{
  action(type="omfile" file="{out}" template="raw")
}}
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="taken")
syslog.* action(type="omfile" file="{own}")
"#,
            dir = self.dir.to_str().unwrap(),
            ca = self.file("ca.pem"),
            certificate = self.file("certificate.pem"),
            key = self.file("key.pem"),
            out = self.file(&format!("out.{}", self.lives)),
            own = self.file("own.log"),
            port = self.port,
        );
        fs::write(self.dir.join("rsyslog.conf"), config).unwrap();
        let (pid, config) = (self.file("pid"), self.file("rsyslog.conf"));
        let _ = fs::remove_file(&pid);
        let errors = fs::File::create(self.dir.join("errors")).unwrap();
        let child = Command::new(binary())
            .args(["-n", "-f", &config, "-i", &pid])
            .stdin(Stdio::null())
            .stdout(errors.try_clone().unwrap())
            .stderr(errors)
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..2_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "rsyslogd: {}", self.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("rsyslogd does not accept: {}", self.said());
    }

    /// What it complains of. Without rsyslog-openssl it knows no `ossl`.
    fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let hint = "(it needs Debian's packages rsyslog and rsyslog-openssl)";
        format!("{} {} {hint}", read("errors"), read("own.log"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for its end, which a signal has brought about.
    pub(crate) fn bury(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Every record that it ever wrote, life by life. Ends it.
    pub(crate) fn taken(&mut self) -> Vec<Line> {
        signal(self.pid(), "TERM");
        self.bury();
        let mut taken = Vec::new();
        for life in 1..=self.lives {
            let file = self.dir.join(format!("out.{life}"));
            let text = fs::read_to_string(file).unwrap_or_default();
            // A line that a kill cut short has no end.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            taken.extend(whole.lines().map(Line::read));
        }
        taken
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all::<&Path>(&self.dir);
        }
    }
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Stops a process for good or for a while, and returns when all of it stands still: until then its
/// threads may go on.
pub(crate) fn halt(pid: u32, name: &str) {
    signal(pid, name);
    let still = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        // Behind the name, which is in parentheses: stopped, dead, or gone altogether.
        stat.rsplit(')')
            .next()
            .is_none_or(|rest| rest.trim().starts_with(['T', 'Z', 'X']) || rest.is_empty())
    };
    let all = || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.flatten().all(|task| still(&task.path()))
    };
    let mut tries = 0..10_000_000;
    assert!(tries.any(|_| all()), "process {pid} goes on after {name}");
}

impl Line {
    /// By a parser that shares nothing with the writer.
    fn read(line: &str) -> Self {
        let read = syslog_loose::parse_message_with_year_exact(
            line,
            |_| panic!("the year is told"),
            syslog_loose::Variant::RFC5424,
        );
        let read = read.unwrap_or_else(|error| panic!("{error}: {line}"));
        let [element] = &read.structured_data[..] else { panic!("{line}") };
        assert_eq!((element.id, read.appname), ("belfry@32473", Some("belfry")));
        let mut data: BTreeMap<&str, String> =
            element.params().map(|(key, value)| (*key, value)).collect();
        let mut take = |key| data.remove(key).unwrap_or_else(|| panic!("no {key}: {line}"));
        Self {
            stream: take("stream").parse().unwrap(),
            sequence: take("sequence").parse().unwrap(),
            id: take("id"),
            tenant: take("tenant"),
            message: read.msg.to_owned(),
        }
    }
}
