//! Folds of a plugin's own.

use crate::batch::{Batch, ColumnWriter, Flaw};
use crate::column::{Column, Kind};
use crate::field::Field;
use crate::row::{Fields, Row};
use crate::time::Time;

/// Makes a value of the entries in a window, where the ready-made folds won't do.
///
/// The host stores registers and says what to do with them: it adds entries, takes out those that
/// leave the window or, where that can't be, merges registers of parts of the window, and asks for the
/// value. Nothing else is kept, so a register must hold all that there is to know. Use it in
/// [`Windows`](crate::Windows) as `#[fold(Range, "1d")]`.
///
/// The value must depend on which entries were taken in, and not on their order or on what was merged
/// with what. An entry keeps numbers, booleans and times; texts, bytes and lists of floats do not compile.
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// /// The share of entries above 100.
/// struct Large;
///
/// #[derive(Row)]
/// struct Entry { amount: f64 }
///
/// #[derive(Register)]
/// struct Counts { all: u64, large: u64 }
///
/// impl Fold for Large {
///     type Entry = Entry;
///     type Register = Counts;
///     type Cell = Option<f64>;
///     const NAME: &'static str = "large";
///     const INVERTIBLE: bool = true;
///
///     fn add(counts: &mut Counts, entry: &Entry, _: Time) {
///         counts.all += 1;
///         counts.large += u64::from(entry.amount > 100.0);
///     }
///
///     fn retract(counts: &mut Counts, entry: &Entry, _: Time) {
///         counts.all -= 1;
///         counts.large -= u64::from(entry.amount > 100.0);
///     }
///
///     fn merge(counts: &mut Counts, other: &Counts) {
///         counts.all += other.all;
///         counts.large += other.large;
///     }
///
///     fn emit(counts: &Counts) -> Option<f64> {
///         (counts.all > 0).then(|| counts.large as f64 / counts.all as f64)
///     }
/// }
/// ```
pub trait Fold: 'static {
    /// Which columns of the row an entry keeps.
    type Entry: Row;
    /// All that is known of the entries taken in.
    type Register: Register;
    /// The value: any type of a [`Field`].
    type Cell: Field;
    /// For people, and to find the registers again.
    const NAME: &'static str;
    /// Raise it when the meaning of a register's bytes changes. While a pipeline runs, its registers are then made of
    /// the rows that are remembered; those of a window `"forever"` by [`migrate`](Fold::migrate).
    const VERSION: u32 = 1;
    /// Whether each entry can be taken out again, not the oldest alone. Where not, the host starts anew from
    /// what is left.
    const INVERTIBLE: bool = false;

    /// Takes an entry in. `at`: when it happened.
    fn add(register: &mut Self::Register, entry: &<Self::Entry as Fields>::Of<'_>, at: Time);

    /// Takes an entry out that was taken in. Called only if the fold is `INVERTIBLE`.
    fn retract(register: &mut Self::Register, entry: &<Self::Entry as Fields>::Of<'_>, at: Time) {
        let _ = (register, entry, at);
        panic!("fold {} can't take an entry out", Self::NAME);
    }

    /// Takes in all that the other register took in.
    fn merge(register: &mut Self::Register, other: &Self::Register);

    /// The value of the entries taken in.
    fn emit(register: &Self::Register) -> Self::Cell;

    /// Makes a register of the bytes of one that a version before this one left, of a window `"forever"`. `None`: it
    /// does not know how, and the release is refused.
    ///
    /// ```
    /// # use tailwater_sdk::prelude::*;
    /// # #[derive(Row)]
    /// # struct Entry { amount: f64 }
    /// /// Version 1 had the sum alone, in cents.
    /// struct Total;
    ///
    /// #[derive(Register)]
    /// struct Sum { amount: f64, counted: u64 }
    ///
    /// impl Fold for Total {
    /// #   type Entry = Entry;
    /// #   type Register = Sum;
    /// #   type Cell = f64;
    /// #   const NAME: &'static str = "total";
    ///     const VERSION: u32 = 2;
    ///
    ///     fn migrate(version: u32, register: &[u8]) -> Option<Sum> {
    ///         (version == 1).then(|| Sum { amount: i64::load(register) as f64 / 100.0, counted: 0 })
    ///     }
    /// #   fn add(sum: &mut Sum, entry: &Entry, _: Time) { sum.amount += entry.amount; sum.counted += 1; }
    /// #   fn merge(sum: &mut Sum, other: &Sum) { sum.amount += other.amount; sum.counted += other.counted; }
    /// #   fn emit(sum: &Sum) -> f64 { sum.amount }
    /// }
    /// # assert_eq!(Total::migrate(1, &250_i64.to_le_bytes()).map(|sum| sum.amount), Some(2.5));
    /// # assert!(Total::migrate(3, &[]).is_none());
    /// ```
    fn migrate(version: u32, register: &[u8]) -> Option<Self::Register> {
        let _ = (version, register);
        None
    }
}

/// What a [`Fold`] knows: a struct of numbers and arrays of numbers. Derive it. The bytes are
/// little-endian, field after field; a fresh register is all zero.
pub trait Register: Sized {
    /// How many bytes it has.
    const BYTES: usize;

    /// Reads `BYTES` bytes.
    fn load(bytes: &[u8]) -> Self;

    /// Writes `BYTES` bytes.
    fn store(&self, bytes: &mut [u8]);
}

macro_rules! register {
    ($($type:ty),*) => {$(
        impl Register for $type {
            const BYTES: usize = size_of::<$type>();

            #[inline(always)]
            fn load(bytes: &[u8]) -> Self {
                Self::from_le_bytes(*bytes.first_chunk().expect("as many bytes as declared"))
            }

            #[inline(always)]
            fn store(&self, bytes: &mut [u8]) {
                bytes[..Self::BYTES].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

register!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl Register for Time {
    const BYTES: usize = 8;

    #[inline(always)]
    fn load(bytes: &[u8]) -> Self {
        Self(i64::load(bytes))
    }

    #[inline(always)]
    fn store(&self, bytes: &mut [u8]) {
        self.0.store(bytes);
    }
}

impl<T: Register, const N: usize> Register for [T; N] {
    const BYTES: usize = N * T::BYTES;

    #[inline(always)]
    fn load(bytes: &[u8]) -> Self {
        std::array::from_fn(|n| T::load(&bytes[n * T::BYTES..][..T::BYTES]))
    }

    #[inline(always)]
    fn store(&self, bytes: &mut [u8]) {
        for (value, bytes) in self.iter().zip(bytes.chunks_exact_mut(T::BYTES)) {
            value.store(bytes);
        }
    }
}

/// Executes a tape of a fold `F`; returns how many values it emitted. `at` has the place of each of
/// the entry's columns among those kept; the time stands behind the kept ones, at `time`.
pub(crate) fn run<F: Fold>(
    entries: &Batch<'_>,
    at: &[usize],
    time: usize,
    tape: &[u32],
    registers: &mut [u8],
    cells: &mut ColumnWriter,
) -> Result<usize, Flaw> {
    const { assert!(F::Register::BYTES > 0, "a register has at least one byte") };
    let readers = F::Entry::open(entries, at)?;
    let times = entries.column(time, &Column::constant("time", Kind::Time, false))?;
    let (instructions, []) = tape.as_chunks() else {
        return Err(Flaw::of_batch("an instruction of a tape has two numbers"));
    };
    let mut machine = Machine::<F>::new(registers)?;
    let mut emitted = 0;
    for [word, argument] in instructions {
        let (operation, argument) = (word >> 28, *argument as usize);
        machine.focus((word & 0x0fff_ffff) as usize)?;
        match operation {
            0 => machine.reset(),
            1 | 2 if argument >= entries.rows() => return Err(Flaw::of_batch("a tape names no entry")),
            1 | 2 => {
                // SAFETY: the entry is one of the batch that the readers were opened from.
                let (entry, at) = unsafe { (F::Entry::read(&readers, argument), Time(times.int(argument))) };
                match operation {
                    1 => F::add(&mut machine.value, &entry, at),
                    _ => F::retract(&mut machine.value, &entry, at),
                }
            }
            3 => {
                let other = machine.other(argument)?;
                F::merge(&mut machine.value, &other);
            }
            4 => {
                F::emit(&machine.value).write(cells);
                emitted += 1;
            }
            _ => return Err(Flaw::of_batch("a tape has an unknown operation")),
        }
    }
    machine.flush();
    Ok(emitted)
}

/// Appends registers of a fold `F` to `into`, made of `count` that an older version left.
pub(crate) fn migrate<F: Fold>(
    version: u32,
    count: usize,
    registers: &[u8],
    into: &mut Vec<u8>,
) -> Result<(), String> {
    if count == 0 || registers.is_empty() || !registers.len().is_multiple_of(count) {
        return Err(format!("{} bytes are not {count} registers", registers.len()));
    }
    for old in registers.chunks_exact(registers.len() / count) {
        let register = F::migrate(version, old).ok_or_else(|| {
            let (name, own) = (F::NAME, F::VERSION);
            format!("the fold {name}, version {own}, has no `migrate` for registers of version {version}")
        })?;
        let start = into.len();
        into.resize(start + F::Register::BYTES, 0);
        register.store(&mut into[start..]);
    }
    Ok(())
}

/// Registers as bytes, and the one at work as a value: tapes stay at a register for a while.
struct Machine<'a, F: Fold> {
    registers: &'a mut [u8],
    current: usize,
    value: F::Register,
}

impl<'a, F: Fold> Machine<'a, F> {
    const BYTES: usize = F::Register::BYTES;

    fn new(registers: &'a mut [u8]) -> Result<Self, Flaw> {
        if registers.is_empty() || !registers.len().is_multiple_of(Self::BYTES) {
            return Err(Flaw::of_batch("the registers don't have the declared size"));
        }
        let value = F::Register::load(&registers[..Self::BYTES]);
        Ok(Self { registers, current: 0, value })
    }

    #[inline(always)]
    fn focus(&mut self, register: usize) -> Result<(), Flaw> {
        if register != self.current {
            self.flush();
            self.value = self.load(register)?;
            self.current = register;
        }
        Ok(())
    }

    fn reset(&mut self) {
        let start = self.current * Self::BYTES;
        self.registers[start..start + Self::BYTES].fill(0);
        self.value = F::Register::load(&self.registers[start..]);
    }

    fn other(&mut self, register: usize) -> Result<F::Register, Flaw> {
        self.flush();
        self.load(register)
    }

    fn load(&self, register: usize) -> Result<F::Register, Flaw> {
        let bytes =
            register.checked_mul(Self::BYTES).and_then(|at| self.registers.get(at..)?.get(..Self::BYTES));
        bytes.map(F::Register::load).ok_or_else(|| Flaw::of_batch("a tape names no register"))
    }

    fn flush(&mut self) {
        self.value.store(&mut self.registers[self.current * Self::BYTES..][..Self::BYTES]);
    }
}
