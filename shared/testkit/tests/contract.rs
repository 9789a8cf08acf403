//! Real requests and answers are those that the API's description describes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod description;
