//! The status page of clusterd: as it is served, and as a real browser shows it. What needs Chromium runs in
//! CI alone (`--include-ignored`).

#![forbid(unsafe_code)]

#[cfg(test)]
mod browser;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod served;
#[cfg(test)]
mod stage;
