//! The end-to-end tests: real binaries, sockets, Kubo and Go ipfs-cluster. This is their map.

#![forbid(unsafe_code)]

#[cfg(test)]
mod harness_works;
/// How the code is written and who may use whom.
#[cfg(test)]
mod rules {
    mod files;
    mod imports;
    mod source;
}
