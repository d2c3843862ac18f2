//! Real clients, each with one script of calls: what they get from Kubo directly they must get
//! through proxyd. `MATRIX.md` shows the results. Run with `COMPOSITE_WRITE_MATRIX=1` to renew it.

#![forbid(unsafe_code)]

#[cfg(test)]
mod access;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod csrf;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod justified;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod script;
#[cfg(test)]
mod sides;
#[cfg(test)]
mod summary;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod wire;
