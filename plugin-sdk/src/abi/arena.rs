//! Where the host puts the parameters of a call.
//!
//! The host allocates them one by one, by `cabi_realloc`, before it calls an export. So the arena
//! can't start anew when the export begins; it is marked as done when the export is about to return,
//! and starts anew with the first allocation after that. In the steady state it is one chunk, and an
//! allocation is an addition.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// `data` of a batch must be aligned for its widest values, though it is a list of bytes.
const ALIGN: usize = 8;
const SMALLEST: usize = 64 * 1024;

/// Memory that is handed out piece by piece and taken back as a whole.
#[derive(Debug)]
pub(crate) struct Arena {
    /// The last one is being filled; allocations of this call lie in those before.
    chunks: Vec<Chunk>,
    used: usize,
    done: bool,
}

#[derive(Debug)]
struct Chunk {
    start: *mut u8,
    size: usize,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), used: 0, done: false }
    }

    /// To be called when an export has read its parameters for the last time.
    pub(crate) fn finish(&mut self) {
        self.done = true;
    }

    /// At least that many bytes, aligned to 8. Valid until the first call after [`Arena::finish`].
    pub(crate) fn allocate(&mut self, length: usize) -> *mut u8 {
        if self.done {
            self.restart();
        }
        let length = length.next_multiple_of(ALIGN);
        let room = self.chunks.last().map_or(0, |chunk| chunk.size - self.used);
        if length > room || self.chunks.is_empty() {
            let size = self.chunks.last().map_or(SMALLEST, |chunk| 2 * chunk.size).max(length);
            self.chunks.push(Chunk::new(size));
            self.used = 0;
        }
        let chunk = &self.chunks[self.chunks.len() - 1];
        // SAFETY: `used + length` is within the chunk.
        let piece = unsafe { chunk.start.add(self.used) };
        self.used += length;
        piece
    }

    /// Several chunks become one that would have held all of it.
    fn restart(&mut self) {
        self.done = false;
        self.used = 0;
        if self.chunks.len() > 1 {
            let size = self.chunks.iter().map(|chunk| chunk.size).sum();
            self.chunks.clear();
            self.chunks.push(Chunk::new(size));
        }
    }
}

impl Chunk {
    fn new(size: usize) -> Self {
        let layout = Self::layout(size);
        // SAFETY: the size is not zero.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Self { start, size }
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, ALIGN).expect("a size that the host could ask for")
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, with this layout.
        unsafe { dealloc(self.start, Self::layout(self.size)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(piece: *mut u8, length: usize, byte: u8) {
        assert!(piece.cast::<u64>().is_aligned());
        unsafe { piece.write_bytes(byte, length) };
    }

    fn holds(piece: *mut u8, length: usize, byte: u8) -> bool {
        unsafe { std::slice::from_raw_parts(piece, length) }.iter().all(|b| *b == byte)
    }

    #[test]
    fn pieces_of_one_call_stay_where_they_are() {
        let mut arena = Arena::new();
        let sizes = [0, 1, 7, 9, 1000, SMALLEST, 10 * SMALLEST, 3, 0, 40 * SMALLEST];
        let pieces: Vec<_> = sizes.iter().map(|size| arena.allocate(*size)).collect();
        for (n, piece) in pieces.iter().enumerate() {
            fill(*piece, sizes[n], n as u8);
        }
        for (n, piece) in pieces.iter().enumerate() {
            assert!(holds(*piece, sizes[n], n as u8), "piece {n} was overwritten");
        }
    }

    #[test]
    fn parameters_of_the_next_call_start_from_the_bottom() {
        let mut arena = Arena::new();
        let first = arena.allocate(100);
        assert_ne!(arena.allocate(100), first);
        arena.finish();
        assert_eq!(arena.allocate(50), first);
        assert_ne!(arena.allocate(50), first, "finish counts once");
    }

    #[test]
    fn calls_of_one_size_need_one_chunk() {
        let mut arena = Arena::new();
        for _ in 0..3 {
            for size in [5000, 30 * SMALLEST, 20] {
                arena.allocate(size);
            }
            arena.finish();
        }
        assert_eq!(arena.chunks.len(), 1);
    }
}
