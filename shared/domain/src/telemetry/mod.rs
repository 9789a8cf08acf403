//! Telemetry: from the batch as posted to the tallies of the dashboard.
