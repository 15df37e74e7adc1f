//! Tapes, as the host writes them.

/// Instructions for a fold. Registers are numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct Tape(Vec<u32>);

impl Tape {
    /// Without instructions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Register := fresh.
    pub fn reset(self, register: u32) -> Self {
        self.push(0, register, 0)
    }

    /// Takes an entry in.
    pub fn add(self, register: u32, entry: u32) -> Self {
        self.push(1, register, entry)
    }

    /// Takes an entry out.
    pub fn retract(self, register: u32, entry: u32) -> Self {
        self.push(2, register, entry)
    }

    /// Takes in what the other register took in.
    pub fn merge(self, register: u32, other: u32) -> Self {
        self.push(3, register, other)
    }

    /// Appends the register's value.
    pub fn emit(self, register: u32) -> Self {
        self.push(4, register, 0)
    }

    /// As it crosses the border.
    pub fn words(&self) -> &[u32] {
        &self.0
    }

    fn push(mut self, operation: u32, register: u32, argument: u32) -> Self {
        self.0.extend([operation << 28 | register, argument]);
        self
    }
}
