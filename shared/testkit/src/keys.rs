//! Sealing without a key service.

use belfry_runtime::keys::{SealError, Sealer};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Seals by writing the context before the text, both turned over so that a dump of the table does
/// not hold them readable. Clones are the same sealer.
#[derive(Debug, Clone, Default)]
pub struct FakeSealer(Arc<AtomicBool>);

impl FakeSealer {
    /// A sealer that answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers no more, or again.
    pub fn set_down(&self, down: bool) {
        self.0.store(down, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), SealError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(SealError::Unavailable("a test asked for it".into()));
        }
        Ok(())
    }
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

fn head(context: &[(&str, &str)]) -> Vec<u8> {
    let mut context = context.to_vec();
    // A context is a map: its order says nothing.
    context.sort_unstable();
    format!("{context:?}|").into_bytes()
}

impl Sealer for FakeSealer {
    fn seal<'a>(
        &'a self,
        plain: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            self.check()?;
            Ok(turned(&[&head(context), plain].concat()))
        })
    }

    fn open<'a>(
        &'a self,
        sealed: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            self.check()?;
            turned(sealed)
                .strip_prefix(head(context).as_slice())
                .map(<[u8]>::to_vec)
                .ok_or_else(|| SealError::Damaged("sealed for another context".into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opens_for_the_same_context_only() {
        let sealer = FakeSealer::new();
        let closed = sealer.seal(b"text", &[("a", "1"), ("b", "2")]).await.unwrap();
        assert!(!closed.windows(4).any(|window| window == b"text"));
        assert_eq!(sealer.open(&closed, &[("b", "2"), ("a", "1")]).await.unwrap(), b"text");
        let other = sealer.open(&closed, &[("a", "1")]).await.unwrap_err();
        assert!(matches!(other, SealError::Damaged(_)));
        sealer.set_down(true);
        let down = sealer.open(&closed, &[("a", "1"), ("b", "2")]).await.unwrap_err();
        assert!(matches!(down, SealError::Unavailable(_)));
    }
}
