//! Names to addresses.

use futures::future::BoxFuture;
use std::io;
use std::net::IpAddr;

/// Resolves names.
pub trait Resolver: Send + Sync {
    /// All addresses of the name, IPv4 and IPv6, in the order in which they are to be tried.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            // The root's dot keeps the resolver from trying its own search domains.
            let addresses = tokio::net::lookup_host((format!("{name}."), 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}
