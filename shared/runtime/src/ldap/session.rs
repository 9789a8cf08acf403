//! A conversation with a directory.

use super::ber::frame;
use super::message::{self, MOST_VALUES, Outcome, Question, RawEntry, Said, Scope};
use super::range::{self, Range};
use super::{LdapFault, Page, Patience, Search, Session, code};
use crate::outbound::{Connection, Outbound, OutboundError, StepName, Tls, Trace, bounded};
use belfry_domain::directory::ldap::{Dn, Entry, Filter, LdapSettings, Node, RootDse};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use tokio::time::Instant;

/// Most bytes of a message: a group of 20,000 members with long names.
const MOST_MESSAGE: usize = 4 << 20;

/// Most that a page takes in memory, with what hangs on each value.
const MOST_PAGE: usize = 32 << 20;

/// What a value takes beside its bytes.
const VALUE_COST: usize = 40;

/// No attributes (RFC 4511, section 4.5.1.8).
const NOTHING: &str = "1.1";

/// An open connection to a directory.
pub(super) struct Wire {
    connection: Connection,
    /// What has arrived and is not read yet.
    buffer: BytesMut,
    /// The number of the last question.
    last: u32,
    /// Not for anybody's eyes, even if the server repeats it.
    secret: String,
    patience: Patience,
    until: Instant,
}

impl Wire {
    pub(super) fn new(connection: Connection, secret: &str, patience: Patience) -> Self {
        Self {
            connection,
            buffer: BytesMut::new(),
            last: 0,
            secret: secret.to_owned(),
            patience,
            until: Instant::now() + patience.whole,
        }
    }

    /// Encrypts the connection with the server's consent. Without it nothing else is said.
    pub(super) async fn start_tls(
        mut self,
        outbound: &Outbound,
        settings: &LdapSettings,
        tls: &Tls,
        trace: &mut Trace,
    ) -> Result<Self, OutboundError> {
        let agreed = async { (None, self.ask_for_tls().await) };
        trace.step(StepName::StartTls, agreed).await?;
        let connection = outbound.secure(self.connection, &settings.host, tls, trace).await?;
        Ok(Self { connection, ..self })
    }

    async fn ask_for_tls(&mut self) -> Result<(), OutboundError> {
        let id = self.next_id();
        self.ask(&message::start_tls(id)).await?;
        let Said::Extended(Outcome { code, words }) = self.answer(&mut { MOST_PAGE }).await? else {
            return Err(LdapFault::NotLdap.into());
        };
        if code != code::SUCCESS {
            return Err(LdapFault::StartTlsRefused { code, words }.into());
        }
        // What was said in clear text after the consent is not the server's: whoever stands between would
        // have us take it for encrypted.
        if self.buffer.is_empty() { Ok(()) } else { Err(LdapFault::NotLdap.into()) }
    }

    /// Says who reads.
    pub(super) async fn bind(&mut self, name: &Dn, trace: &mut Trace) -> Result<(), OutboundError> {
        trace.step(StepName::Bind, async { (None, self.authenticate(name).await) }).await
    }

    async fn authenticate(&mut self, name: &Dn) -> Result<(), OutboundError> {
        if self.secret.is_empty() {
            return Err(LdapFault::NoPassword.into());
        }
        let id = self.next_id();
        self.ask(&message::bind(id, &name.to_string(), &self.secret)).await?;
        match self.answer(&mut { MOST_PAGE }).await? {
            Said::Bind(Outcome { code: code::SUCCESS, .. }) => Ok(()),
            Said::Bind(Outcome { code, words }) => Err(LdapFault::Refused { code, words }.into()),
            _ => Err(LdapFault::NotLdap.into()),
        }
    }

    fn next_id(&mut self) -> u32 {
        // Far fewer questions than numbers.
        self.last = self.last.wrapping_add(1) & 0x7fff_ffff;
        self.last
    }

    /// Sends; from now on runs the time for the answer.
    async fn ask(&mut self, request: &[u8]) -> Result<(), OutboundError> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.connection.renew(self.patience.answer.min(left));
        self.connection.send(request).await
    }

    /// The next message, while the budget lasts.
    async fn frame(&mut self, budget: &mut usize) -> Result<Bytes, OutboundError> {
        loop {
            if let Some(length) = frame(&self.buffer, MOST_MESSAGE.min(*budget))? {
                if self.buffer.len() >= length {
                    *budget -= length;
                    return Ok(self.buffer.split_to(length).freeze());
                }
                self.buffer.reserve(length - self.buffer.len());
            }
            self.connection.receive(&mut self.buffer).await?;
        }
    }

    /// What the server says to the last question.
    async fn answer(&mut self, budget: &mut usize) -> Result<Said, OutboundError> {
        loop {
            let frame = self.frame(budget).await?;
            let (id, mut said) = message::read(&frame)?;
            if let Said::Bind(outcome) | Said::Extended(outcome) | Said::Done(outcome, _) =
                &mut said
            {
                outcome.words = self.shown(&outcome.words);
            }
            match said {
                Said::Extended(Outcome { code, words }) if id == 0 => {
                    return Err(LdapFault::Disconnected { code, words }.into());
                }
                _ if id != self.last => return Err(LdapFault::NotLdap.into()),
                Said::Intermediate => {}
                said => return Ok(said),
            }
        }
    }

    /// The server's words as they may be shown. What nobody sees goes first: it could part the password.
    fn shown(&self, words: &str) -> String {
        let seen: String = words.chars().filter(|c| !c.is_control()).collect();
        if self.secret.is_empty() {
            bounded(&seen)
        } else {
            bounded(&seen.replace(&self.secret, "***"))
        }
    }

    /// Asks and reads the answer to its end; at most `most` entries.
    async fn read_all(
        &mut self,
        question: &Question<'_>,
        most: usize,
        budget: &mut usize,
    ) -> Result<Answer, OutboundError> {
        let id = self.next_id();
        self.ask(&message::search(id, question)).await?;
        let mut answer = Answer::default();
        loop {
            match self.answer(budget).await? {
                Said::Entry(entry) => {
                    charge(budget, entry.values())?;
                    answer.entries.push(entry);
                    if answer.entries.len() >= most {
                        return Ok(answer);
                    }
                }
                Said::Reference => answer.referrals += 1,
                Said::Done(outcome, next) => {
                    answer.ended = Some((outcome, next.unwrap_or_default()));
                    return Ok(answer);
                }
                _ => return Err(LdapFault::NotLdap.into()),
            }
        }
    }

    /// The one entry of this name, with these attributes; none when there is no such entry.
    async fn one(
        &mut self,
        base: &str,
        attributes: &[String],
        budget: &mut usize,
    ) -> Result<(Option<RawEntry>, Outcome), OutboundError> {
        let question = Question {
            base,
            scope: Scope::Base,
            size_limit: 0,
            filter: &any_entry(),
            attributes,
            page: None,
        };
        let Answer { mut entries, ended, .. } = self.read_all(&question, 2, budget).await?;
        let (outcome, _) = ended.ok_or(LdapFault::NotLdap)?;
        Ok((entries.pop(), outcome))
    }

    async fn read_root(&mut self) -> Result<RootDse, OutboundError> {
        let attributes: Vec<_> = RootDse::ATTRIBUTES.iter().copied().map(str::to_owned).collect();
        let (found, outcome) = self.one("", &attributes, &mut { MOST_PAGE }).await?;
        match found {
            Some(raw) => Ok(RootDse::of(&whole(raw).0)),
            // Not every directory shows it.
            None if outcome.code == code::SUCCESS => Ok(RootDse::default()),
            None => Err(refused(outcome).into()),
        }
    }

    async fn look_at(&mut self, base: &Dn, filter: &Filter) -> Result<(), OutboundError> {
        let base = base.to_string();
        let nothing = [NOTHING.to_owned()];
        let (found, outcome) = self.one(&base, &nothing, &mut { MOST_PAGE }).await?;
        if found.is_none() {
            let Outcome { code, words } = outcome;
            return Err(match code {
                code::SUCCESS | code::NO_SUCH_OBJECT | code::INVALID_DN_SYNTAX => {
                    LdapFault::BaseMissing { code, words }
                }
                _ => refused(Outcome { code, words }),
            }
            .into());
        }
        let question = Question {
            base: &base,
            scope: Scope::Subtree,
            size_limit: 1,
            filter: filter.root(),
            attributes: &nothing,
            page: None,
        };
        let answer = self.read_all(&question, 2, &mut { MOST_PAGE }).await?;
        let (outcome, _) = answer.ended.ok_or(LdapFault::NotLdap)?;
        match (outcome.code, answer.entries.len()) {
            (code::SUCCESS | code::SIZE_LIMIT_EXCEEDED, 1..) => Ok(()),
            (code::SUCCESS, 0) => Err(LdapFault::BaseEmpty.into()),
            _ => Err(refused(outcome).into()),
        }
    }

    async fn read_page(&mut self, search: &mut Search) -> Result<Option<Page>, OutboundError> {
        let Some(cookie) = search.begin()? else { return Ok(None) };
        let mut budget = MOST_PAGE;
        let base = search.base.clone();
        let question = Question {
            base: &base,
            scope: Scope::Subtree,
            size_limit: 0,
            filter: search.filter.root(),
            attributes: &search.attributes,
            page: Some((search.page_size, &cookie)),
        };
        let Answer { entries, referrals, ended } =
            self.read_all(&question, search.room(), &mut budget).await?;
        let mut page = Page { entries: Vec::with_capacity(entries.len()), referrals };
        let next = match ended {
            Some((Outcome { code: code::SUCCESS, .. }, next)) => {
                for raw in entries {
                    page.entries.push(self.complete(raw, &mut budget).await?);
                }
                next
            }
            Some((outcome, _)) => return Err(refused(outcome).into()),
            // There was no room for the last: it is counted, and refused.
            None => {
                page.entries.extend(entries.into_iter().map(|raw| whole(raw).0));
                Vec::new()
            }
        };
        Ok(Some(search.turn(page, next)?))
    }

    /// The entry with all values of its attributes.
    async fn complete(
        &mut self,
        raw: RawEntry,
        budget: &mut usize,
    ) -> Result<Entry, OutboundError> {
        let (mut entry, unfinished) = whole(raw);
        for (name, mut next) in unfinished {
            loop {
                let asked = [range::rest(&name, next)];
                let (found, outcome) = self.one(entry.dn(), &asked, budget).await?;
                if outcome.code != code::SUCCESS {
                    return Err(refused(outcome).into());
                }
                let attributes = found.map(|raw| raw.attributes).unwrap_or_default();
                let part = attributes.into_iter().find_map(|(description, values)| {
                    let (found, range) = range::split(&description);
                    range.filter(|_| found.eq_ignore_ascii_case(&name)).map(|range| (range, values))
                });
                // A part that is missing, or does not go on where the last one ended, would make a short
                // list pass for a whole one.
                let (Range { from, to }, values) = part.ok_or(LdapFault::NotLdap)?;
                if from != next || values.is_empty() {
                    return Err(LdapFault::NotLdap.into());
                }
                if entry.values(&name).len() + values.len() > MOST_VALUES {
                    return Err(LdapFault::TooLarge.into());
                }
                entry.append(&name, values);
                match to.map(|to| to.checked_add(1)) {
                    None => break,
                    Some(Some(after)) if after > next => next = after,
                    Some(_) => return Err(LdapFault::NotLdap.into()),
                }
            }
        }
        Ok(entry)
    }
}

/// What a search brought.
#[derive(Default)]
struct Answer {
    entries: Vec<RawEntry>,
    referrals: usize,
    /// How it ended, and where the next page begins; none when there was no room for more.
    ended: Option<(Outcome, Vec<u8>)>,
}

impl Session for Wire {
    fn root<'a>(
        &'a mut self,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<RootDse, OutboundError>> {
        Box::pin(trace.step(StepName::Root, async { (None, self.read_root().await) }))
    }

    fn base<'a>(
        &'a mut self,
        base: &'a Dn,
        filter: &'a Filter,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<(), OutboundError>> {
        Box::pin(trace.step(StepName::Base, async { (None, self.look_at(base, filter).await) }))
    }

    fn next_page<'a>(
        &'a mut self,
        search: &'a mut Search,
    ) -> BoxFuture<'a, Result<Option<Page>, OutboundError>> {
        Box::pin(self.read_page(search))
    }

    fn close(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let id = self.next_id();
            // Whoever does not take our good-bye is gone already.
            let _ = self.ask(&message::unbind(id)).await;
        })
    }
}

/// Takes what the values of an entry weigh beside their bytes.
fn charge(budget: &mut usize, values: usize) -> Result<(), LdapFault> {
    let cost = values.saturating_mul(VALUE_COST);
    *budget = budget.checked_sub(cost).ok_or(LdapFault::TooLarge)?;
    Ok(())
}

/// Any entry: every one has a class.
fn any_entry() -> Node {
    Node::Present("objectClass".to_owned())
}

fn refused(Outcome { code, words }: Outcome) -> LdapFault {
    match code {
        code::REFERRAL => LdapFault::Referred,
        code::NO_SUCH_OBJECT => LdapFault::BaseMissing { code, words },
        _ => LdapFault::Refused { code, words },
    }
}

/// The entry as far as it is there, and which attributes go on at which value.
fn whole(raw: RawEntry) -> (Entry, Vec<(String, usize)>) {
    let mut entry = Entry::new(raw.dn);
    let mut unfinished = Vec::new();
    for (description, values) in raw.attributes {
        let (name, range) = range::split(&description);
        if let Some(Range { to: Some(to), .. }) = range {
            unfinished.push((name.clone(), to.saturating_add(1)));
        }
        entry.append(&name, values);
    }
    (entry, unfinished)
}
