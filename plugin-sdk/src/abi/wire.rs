//! What crosses the border with every batch, as it lies in memory. Fields are in the order of the
//! WIT; the module's tests compare.

use crate::batch;
use crate::rejection::Rejected;

/// A list or a text: its first element, and how many there are. Pointers have 32 bits.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct List {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl List {
    pub(super) fn of<T>(items: &[T]) -> Self {
        Self { start: items.as_ptr() as u32, length: items.len() as u32 }
    }

    /// # Safety
    /// It must be a list of such elements that the host put into memory.
    pub(super) unsafe fn items<'a, T>(self) -> &'a [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start as *const T, self.length as usize) }
    }
}

/// A column of the settings.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Column {
    pub(super) name: List,
    pub(super) kind: u8,
    pub(super) nullable: u8,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Batch {
    pub(super) rows: u32,
    pub(super) spans: List,
    pub(super) data: List,
}

impl Batch {
    pub(super) fn of(batch: &batch::Batch<'_>) -> Self {
        Self { rows: batch.rows() as u32, spans: List::of(batch.spans()), data: List::of(batch.data()) }
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Rejection {
    pub(super) row: u32,
    pub(super) code: u16,
    pub(super) message: List,
}

impl Rejection {
    pub(super) fn of(Rejected { row, why }: &Rejected) -> Self {
        Self { row: *row, code: why.code, message: List::of(why.message.as_bytes()) }
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Processed {
    pub(super) rows: Batch,
    pub(super) origin: List,
    pub(super) rejected: List,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Computed {
    pub(super) matrix: List,
    pub(super) ids: Batch,
    pub(super) rejected: List,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Folded {
    pub(super) registers: List,
    pub(super) cells: Batch,
}

/// `result<list<u8>, string>`: both are a list of bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Migrated {
    pub(super) failed: u8,
    pub(super) bytes: List,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Decided {
    pub(super) rows: Batch,
    pub(super) route: List,
    pub(super) rejected: List,
}

/// The last answer of an instance.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Answer {
    pub(super) none: (),
    pub(super) processed: Processed,
    pub(super) computed: Computed,
    pub(super) folded: Folded,
    pub(super) migrated: Migrated,
    pub(super) decided: Decided,
}
