//! Syslog over TLS (RFC 5425) and over plain TCP (RFC 6587).

use super::{LONGEST, Network, Outcome, Parcel};
use crate::outbound::{Confirmation, OutboundError, Trace};
use belfry_domain::siem::destination::{Framing, Transport};
use belfry_domain::siem::progress::Verdict;
use std::io::Write as _;

impl Network {
    /// One connection for as many records as the pace allows: syslog has no acknowledgement, so only a
    /// connection's end confirms what was written to it.
    pub(super) async fn syslog(&self, parcel: Parcel<'_>, trace: &mut Trace) -> Outcome {
        let mut outcome = Outcome::unknown(parcel.records.len());
        let mut begin = 0;
        let mut frames = Vec::new();
        let since = self.clock.now();
        for records in parcel.records.chunks(parcel.pace) {
            if self.clock.now().duration_since(since) >= LONGEST {
                break;
            }
            frames.clear();
            let mut message = Vec::new();
            for record in records {
                message.clear();
                parcel.renderer.syslog(record, &mut message);
                frame(parcel.settings.transport, parcel.settings.framing, &message, &mut frames);
            }
            match self.one_connection(&parcel, &frames, trace).await {
                Ok(confirmation) => {
                    outcome.bytes += u64::try_from(frames.len()).unwrap_or(0);
                    outcome.abrupt += u32::from(confirmation == Confirmation::Abrupt);
                    outcome.say(begin..begin + records.len(), Verdict::Confirmed);
                }
                Err(error) => {
                    outcome.trouble = Some(error.into());
                    break;
                }
            }
            begin += records.len();
        }
        outcome
    }

    async fn one_connection(
        &self,
        parcel: &Parcel<'_>,
        frames: &[u8],
        trace: &mut Trace,
    ) -> Result<Confirmation, OutboundError> {
        let mut connection = self.connect(parcel.settings, parcel.secrets, trace).await?;
        connection.write_all(frames, trace).await?;
        connection.drain_close(trace).await
    }
}

/// Appends a message with what keeps it apart from the next. No message has a line feed of its own.
fn frame(transport: Transport, framing: Framing, message: &[u8], frames: &mut Vec<u8>) {
    if transport == Transport::SyslogTcp && framing == Framing::Lf {
        frames.extend_from_slice(message);
        frames.push(b'\n');
    } else {
        // Writing to a vector does not fail.
        let _ = write!(frames, "{} ", message.len());
        frames.extend_from_slice(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_counts_octets_whatever_is_asked_for() {
        let framed = |transport, framing| {
            let mut frames = Vec::new();
            for message in ["<14>1 ü", "<14>1"] {
                frame(transport, framing, message.as_bytes(), &mut frames);
            }
            String::from_utf8(frames).unwrap()
        };
        let counted = "8 <14>1 ü5 <14>1";
        assert_eq!(framed(Transport::SyslogTls, Framing::OctetCounting), counted);
        assert_eq!(framed(Transport::SyslogTls, Framing::Lf), counted);
        assert_eq!(framed(Transport::SyslogTcp, Framing::OctetCounting), counted);
        assert_eq!(framed(Transport::SyslogTcp, Framing::Lf), "<14>1 ü\n<14>1\n");
    }
}
