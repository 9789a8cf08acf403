//! Where a customer can have Belfry connect, and where never.

use crate::{CHANGE, CREATE, Office, TEST, TEST_UNSAVED, body, but};
use belfry_domain::outbound::Reach;
use belfry_runtime::outbound::Resolver;
use belfry_testkit::FixedResolver;
use futures::future::BoxFuture;
use serde_json::json;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// Ways to write what is not a host of the public network.
const HOSTILE: &[&str] = &[
    // this machine and its neighbours
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    // the clouds' metadata, Lambda's own interface
    "169.254.169.254",
    "169.254.170.2",
    "169.254.100.1",
    "100.100.100.200",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    // numbers as `inet_aton` reads them
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "127.1",
    "127.0.1",
    "0",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.01",
    "127.0.0.0x1",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.254.0251.254",
    "169.254.43518",
    "4294967297",
    "127.0.0.1.",
    "1.2.3.4.5",
    // names of a machine
    "localhost",
    "LOCALHOST",
    "localhost.",
    "foo.localhost",
    "localhost.localdomain",
    "siem",
    "printer.local",
    "1.0.0.127.in-addr.arpa",
    "kubernetes.default.svc.cluster.local",
    "siem.example.com.",
    // what IDNA makes of it
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",
    "ｌｏｃａｌｈｏｓｔ",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "local\u{ad}host",
    "local\u{200b}host",
    "127.0.0.1\u{2060}",
    // more than a host
    "127.0.0.1:80",
    "siem.example.com:22",
    "user@127.0.0.1",
    "user:pass@siem.example.com",
    "siem.example.com@127.0.0.1",
    "siem.example.com#@127.0.0.1",
    "siem.example.com/../127.0.0.1",
    "127.0.0.1/siem.example.com",
    "http://127.0.0.1",
    "//127.0.0.1",
    "127.0.0.1?siem.example.com",
    "127.0.0.1%00.example.com",
    "127.0.0.1\0.example.com",
    "127.0.0.1\\@siem.example.com",
    "127.0.0.1 siem.example.com",
    "siem.example.com\r\nHost: x",
    "*.example.com",
    // IPv6
    "::1",
    "[::1]",
    "[::1]:443",
    "0:0:0:0:0:0:0:1",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "[::ffff:169.254.169.254]",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "[fe80::1%25eth0]",
    "::1%lo",
    "fec0::1",
    "ff02::1",
    "5f00::1",
    "100::1",
];

/// Answers each look-up with the next of its answers, the last one for ever.
struct Answers(Mutex<VecDeque<Vec<IpAddr>>>, AtomicUsize);

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let answers = answers.iter().map(parsed).collect();
        Arc::new(Self(Mutex::new(answers), AtomicUsize::new(0)))
    }

    fn look_ups(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

impl Resolver for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async { Ok(answer.unwrap_or_default()) })
    }
}

/// A listener of this machine that counts who connects, and takes all that is sent.
struct Listener {
    port: u16,
    knocks: Arc<AtomicUsize>,
}

impl Listener {
    async fn start() -> Self {
        // Ports above 10000 are allowed; the system gives out none below 32768.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let knocks = Arc::new(AtomicUsize::new(0));
        let counted = knocks.clone();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut taken = Vec::new();
                let _ = tcp.read_to_end(&mut taken).await;
            }
        });
        Self { port, knocks }
    }

    fn knocks(&self) -> usize {
        self.knocks.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn hostile_hosts_are_refused_at_every_way_in() {
    assert!(HOSTILE.len() > 60);
    let office = Office::new().await;
    let id = office.made_id(body("syslog_tcp")).await;
    let listener = Listener::start().await;
    // Whatever a name leads to: none of these may count as one.
    let app = office.connected(Answers::new(&[&["127.0.0.1"]]), Reach::Public);
    let mut accepted = Vec::new();
    for host in HOSTILE {
        office.world.wait(200);
        let token = office.world.token(&office.member).await;
        let hostile = json!({"host": host, "port": listener.port, "version": 1});
        let hostile = but(body("syslog_tcp"), hostile);
        for route in [CREATE, CHANGE, TEST_UNSAVED] {
            let ask = office.about(route, &id).bearer(&token).json(hostile.clone());
            let answer = ask.of(&app).await;
            let faults = answer.faults();
            if answer.status != 422 || !matches!(faults[..], [("/host", _)]) {
                accepted.push(format!("{route} {host}: {}", answer.text));
            }
        }
    }
    assert_eq!(accepted, [""; 0]);
    assert_eq!(office.actions().await, ["siem.create"]);
    assert_eq!(listener.knocks(), 0);
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_enough() {
    let office = Office::new().await;
    let id = office.made_id(but(body("syslog_tls"), json!({"host": "old.example.com"}))).await;
    for answers in [
        &["127.0.0.1"][..],
        &["93.184.215.14", "10.0.0.1"],
        &["93.184.215.14", "2620:fe::9", "::1"],
        &["::ffff:93.184.215.14"],
        &["fd00:ec2::254", "93.184.215.14"],
        &["93.184.215.14", "93.184.215.15", "169.254.169.254"],
    ] {
        let app = office.connected(Answers::new(&[answers]), Reach::Public);
        for route in [CREATE, CHANGE, TEST_UNSAVED] {
            let asked = but(body("syslog_tls"), json!({"version": 1}));
            let answer = office.about(route, &id).json(asked).of(&app).await;
            let fault = vec![("/host", "address_not_allowed")];
            assert_eq!((answer.status, answer.faults()), (422, fault), "{route} {answers:?}");
        }
    }
    // More addresses than are tried are all looked at.
    let many: Vec<_> = (0..40).map(|n| format!("93.184.215.{n}")).collect();
    let mut many: Vec<_> = many.iter().map(String::as_str).collect();
    many.push("127.0.0.1");
    let app = office.connected(Answers::new(&[&many]), Reach::Public);
    let answer = office.ask(CREATE).json(body("syslog_tls")).of(&app).await;
    assert_eq!(answer.faults(), [("/host", "address_not_allowed")]);
    let nothing = office.connected(Answers::new(&[&[]]), Reach::Public);
    let answer = office.ask(CREATE).json(body("syslog_tls")).of(&nothing).await;
    assert_eq!(answer.faults(), [("/host", "host_not_found")]);
}

/// A name that leads to a public address when it is looked at and to this machine when it is connected
/// to (DNS rebinding).
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let office = Office::new().await;
    let listener = Listener::start().await;
    let answers = Answers::new(&[&["93.184.215.14"], &["127.0.0.1"]]);
    let app = office.connected(answers.clone(), Reach::Public);
    let rebinding =
        but(body("syslog_tcp"), json!({"host": "rebind.example.com", "port": listener.port}));
    // Settings that are not saved: looked at once, then connected to.
    let answer = office.ask(TEST_UNSAVED).json(rebinding.clone()).of(&app).await;
    assert_eq!((answer.status, &answer.json["confirmed"]), (200, &json!(false)));
    assert_eq!(answer.at("/error/code"), "address_not_allowed");
    assert_eq!(answer.json["steps"].as_array().unwrap().len(), 1, "nothing after the look-up");
    assert_eq!(answers.look_ups(), 2);
    // Settings that are saved.
    let answers = Answers::new(&[&["93.184.215.14"], &["127.0.0.1"]]);
    let app = office.connected(answers.clone(), Reach::Public);
    let made = office.ask(CREATE).json(rebinding).of(&app).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for _ in 0..2 {
        let answer = office.about(TEST, made.at("/id")).of(&app).await;
        assert_eq!(answer.at("/error/code"), "address_not_allowed");
        assert_eq!(answer.at("/steps/0/error/code"), "address_not_allowed");
    }
    assert_eq!(listener.knocks(), 0);
}

/// The same listener is reached where a local stack is allowed to: so it is the reach that refuses.
#[tokio::test]
async fn a_local_stack_reaches_this_machine() {
    let office = Office::new().await;
    let listener = Listener::start().await;
    let app = office.connected(Answers::new(&[&["127.0.0.1"]]), Reach::LocalStack);
    let here = but(body("syslog_tcp"), json!({"port": listener.port}));
    let answer = office.ask(TEST_UNSAVED).json(here.clone()).of(&app).await;
    assert_eq!(answer.json["confirmed"], true, "{}", answer.text);
    assert_eq!(listener.knocks(), 1);
    let steps = answer.json["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["resolve", "connect", "write", "close"]);
    assert!(steps.iter().all(|step| step["ok"] == true));
    assert_eq!(steps[0]["addresses"], json!(["127.0.0.1"]));
    assert_eq!(steps[1]["addresses"], json!([format!("127.0.0.1:{}", listener.port)]));
    assert!(steps[2]["bytes"].as_u64().unwrap() > 100);
    assert_eq!(steps[3]["clean_end"], true);
    let made = office.ask(CREATE).json(here).of(&app).await;
    let answer = office.about(TEST, made.at("/id")).of(&app).await;
    assert_eq!(answer.json["confirmed"], true);
    assert_eq!(listener.knocks(), 2);
    // The clouds' metadata is no part of a local stack.
    let metadata = office.connected(Answers::new(&[&["169.254.169.254"]]), Reach::LocalStack);
    let answer = office.ask(CREATE).json(body("webhook")).of(&metadata).await;
    assert_eq!(answer.faults(), [("/host", "address_not_allowed")]);
}

/// A receiver that speaks no TLS is told apart from one that is not there.
#[tokio::test]
async fn the_step_that_fails_says_why() {
    let office = Office::new().await;
    let resolver = || Arc::new(FixedResolver(vec!["127.0.0.1".parse().unwrap()]));
    let app = office.connected(resolver(), Reach::LocalStack);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    drop(silent);
    let gone = but(body("webhook"), json!({"port": port}));
    let answer = office.ask(TEST_UNSAVED).json(gone).of(&app).await;
    assert_eq!(answer.at("/error/code"), "connect_refused");
    assert_eq!(answer.at("/steps/1/step"), "connect");
    assert_eq!(answer.json["steps"][1]["ok"], false);
    let listener = Listener::start().await;
    let half = but(body("webhook"), json!({"port": listener.port, "host": "nobody.example.com"}));
    tokio::time::pause();
    let answer = office.ask(TEST_UNSAVED).json(half).of(&app).await;
    assert_eq!(answer.at("/steps/2/step"), "tls");
    assert_eq!(answer.json["confirmed"], false, "{}", answer.text);
}

#[tokio::test]
async fn nothing_is_resolved_for_those_who_may_not() {
    let mut office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let answers = Answers::new(&[&["93.184.215.14"]]);
    let app = office.connected(answers.clone(), Reach::Public);
    let asked =
        |version: u64| but(body("webhook"), json!({"host": "x.example.com", "version": version}));
    let reader = belfry_domain::account::Role::ReadOnly;
    let member = office.world.member(office.tenant, "own@globex.example", reader).await;
    let token = office.world.token(&member).await;
    for route in [CREATE, CHANGE, TEST_UNSAVED] {
        let answer = office.about(route, &id).bearer(&token).json(asked(1)).of(&app).await;
        assert_eq!(answer.status, 403);
    }
    assert_eq!(office.about(CHANGE, &id).json(asked(7)).of(&app).await.status, 409);
    assert_eq!(office.about(CHANGE, "dst_x").json(asked(1)).of(&app).await.status, 404);
    let (session, _) = office.world.session(&office.member).await;
    office.world.wait(601);
    office.token = office.world.token_of(&session);
    for route in [CREATE, CHANGE] {
        let answer = office.about(route, &id).json(asked(1)).of(&app).await;
        assert_eq!(answer.verdict(), (403, "confirmation_required"));
    }
    assert_eq!(answers.look_ups(), 0);
}
