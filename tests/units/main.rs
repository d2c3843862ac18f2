//! The packages and units in booted machines: a Debian root file system, a systemd of its own, a real
//! Kubo as a service beside it. What needs root, debootstrap and packaging/out runs in CI alone
//! (`--include-ignored`); the rest reads the files of the units.

#![forbid(unsafe_code)]

#[cfg(test)]
mod cable;
#[cfg(test)]
mod files;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod inside;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod invitation;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod life;
#[cfg(test)]
mod load;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rootfs;
#[cfg(test)]
mod rpm;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod sandbox;
#[cfg(test)]
mod scores;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod two_machines;
