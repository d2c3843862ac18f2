//! Makes system calls in another process's name, as one who has taken it over could (x86-64).
//!
//! The process is stopped in a system call; its own instruction for calls is used again, with other
//! registers, one step at a time. When this ends it goes on as if nothing had been.

use std::fs;

use harness::error::HarnessError;
use nix::libc::user_regs_struct;
use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Below the stack pointer, and below what a function may use there without moving it.
const SCRATCH: u64 = 2048;

/// A number as it goes into a register.
pub(crate) fn word(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

/// A process that is held.
pub(crate) struct Inside {
    pid: Pid,
    saved: user_regs_struct,
}

/// A text that the process is to use.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    /// Which process.
    pub(crate) process: &'a Inside,
    /// What.
    pub(crate) text: &'a str,
}

impl Inside {
    /// Holds a process that waits in a system call.
    pub(crate) fn enter(pid: i32) -> Result<Self, HarnessError> {
        let pid = Pid::from_raw(pid);
        let hold = || -> nix::Result<user_regs_struct> {
            ptrace::attach(pid)?;
            waitpid(pid, None)?;
            ptrace::getregs(pid)
        };
        let saved = hold().map_err(|error| HarnessError::io("hold a process")(error.into()))?;
        let process = Self { pid, saved };
        assert_eq!(process.instruction_before(), SYSCALL, "the process waits in no system call");
        Ok(process)
    }

    /// Makes a system call; its answer, negative for an error.
    pub(crate) fn call(&self, number: i64, arguments: [u64; 6]) -> i64 {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        let registers = user_regs_struct {
            rip: self.saved.rip - SYSCALL.len() as u64,
            rax: number.cast_unsigned(),
            // No call is under way that would have to be begun again.
            orig_rax: u64::MAX,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            r9,
            ..self.saved
        };
        ptrace::setregs(self.pid, registers).unwrap();
        ptrace::step(self.pid, None).unwrap();
        let status = waitpid(self.pid, None).unwrap();
        let after = ptrace::getregs(self.pid);
        let after = after.unwrap_or_else(|error| panic!("call {number}: {status:?}, {error}"));
        assert_eq!(after.rip, self.saved.rip, "call {number} was made: {status:?}");
        after.rax.cast_signed()
    }

    /// Puts a text where the process can see it; it stands there until the next one.
    pub(crate) fn text(&self, text: &str) -> u64 {
        self.bytes(&[text.as_bytes(), &[0]].concat())
    }

    /// The same with bytes.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> u64 {
        let place = (self.saved.rsp - SCRATCH) & !7;
        for (at, word) in bytes.chunks(8).enumerate() {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            let place = (place + 8 * at as u64) as ptrace::AddressType;
            ptrace::write(self.pid, place, i64::from_ne_bytes(whole)).unwrap();
        }
        place
    }

    fn instruction_before(&self) -> [u8; 2] {
        let place = self.saved.rip - SYSCALL.len() as u64;
        let word = ptrace::read(self.pid, place as ptrace::AddressType).unwrap().to_ne_bytes();
        [word[0], word[1]]
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // The process may have been killed meanwhile.
        if fs::exists(format!("/proc/{}", self.pid)).unwrap_or(false) {
            ptrace::setregs(self.pid, self.saved).ok();
            ptrace::detach(self.pid, None).ok();
        }
    }
}
