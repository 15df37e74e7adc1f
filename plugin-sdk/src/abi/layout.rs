//! How types lie in memory by the canonical ABI, with pointers of 32 bits.

/// Bytes with pointers in them that count from their start until [`Area::relocate`].
#[derive(Debug, Default)]
pub struct Area {
    bytes: Vec<u8>,
    pointers: Vec<usize>,
}

impl Area {
    /// An area that begins with a value.
    pub(crate) fn of<T: Lower>(value: &T) -> Self {
        let mut area = Self::default();
        let at = area.allocate(T::SIZE, T::ALIGN);
        value.lower(&mut area, at);
        area
    }

    /// Puts it somewhere for ever.
    pub(crate) fn leak(self) -> *const u8 {
        let place = vec![0_u64; self.bytes.len().div_ceil(8)].leak();
        let base = place.as_mut_ptr().cast::<u8>();
        let bytes = self.relocate(base as u32);
        // SAFETY: the place has room for the bytes.
        unsafe { base.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        base
    }

    /// The bytes as they must be at that address, a multiple of 8.
    pub(crate) fn relocate(mut self, base: u32) -> Vec<u8> {
        for at in std::mem::take(&mut self.pointers) {
            let offset: [u8; 4] = self.bytes[at..at + 4].try_into().expect("four bytes");
            self.put(at, &(u32::from_le_bytes(offset) + base).to_le_bytes());
        }
        self.bytes
    }

    fn allocate(&mut self, size: usize, align: usize) -> usize {
        let at = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(at + size, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_list(&mut self, at: usize, start: usize, length: usize) {
        self.pointers.push(at);
        self.put(at, &(start as u32).to_le_bytes());
        self.put(at + 4, &(length as u32).to_le_bytes());
    }
}

/// A type that crosses the border.
pub trait Lower {
    const SIZE: usize;
    const ALIGN: usize;
    /// Of a record: names and places of its fields.
    const FIELDS: &'static [(&'static str, usize)] = &[];

    /// Writes it at a place that has been allocated.
    fn lower(&self, area: &mut Area, at: usize);
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Lower for $type {
            const SIZE: usize = size_of::<$type>();
            const ALIGN: usize = Self::SIZE;

            fn lower(&self, area: &mut Area, at: usize) {
                area.put(at, &self.to_le_bytes());
            }
        }
    )*};
}

number!(u8, u16, u32, u64, f64);

impl Lower for bool {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;

    fn lower(&self, area: &mut Area, at: usize) {
        area.put(at, &[u8::from(*self)]);
    }
}

impl Lower for str {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    fn lower(&self, area: &mut Area, at: usize) {
        let start = area.allocate(self.len(), 1);
        area.put(start, self.as_bytes());
        area.put_list(at, start, self.len());
    }
}

impl Lower for String {
    const SIZE: usize = str::SIZE;
    const ALIGN: usize = str::ALIGN;

    fn lower(&self, area: &mut Area, at: usize) {
        self.as_str().lower(area, at);
    }
}

impl Lower for std::borrow::Cow<'static, str> {
    const SIZE: usize = str::SIZE;
    const ALIGN: usize = str::ALIGN;

    fn lower(&self, area: &mut Area, at: usize) {
        self.as_ref().lower(area, at);
    }
}

impl<T: Lower> Lower for Vec<T> {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    fn lower(&self, area: &mut Area, at: usize) {
        let start = area.allocate(self.len() * T::SIZE, T::ALIGN);
        for (n, item) in self.iter().enumerate() {
            item.lower(area, start + n * T::SIZE);
        }
        area.put_list(at, start, self.len());
    }
}

impl<T: Lower> Lower for Option<T> {
    const SIZE: usize = variant_size(T::SIZE, T::ALIGN);
    const ALIGN: usize = T::ALIGN;

    fn lower(&self, area: &mut Area, at: usize) {
        area.put(at, &[u8::from(self.is_some())]);
        if let Some(value) = self {
            value.lower(area, at + payload(T::ALIGN));
        }
    }
}

impl<T: Lower> Lower for Result<T, String> {
    const SIZE: usize = variant_size(larger(T::SIZE, str::SIZE), Self::ALIGN);
    const ALIGN: usize = larger(T::ALIGN, str::ALIGN);

    fn lower(&self, area: &mut Area, at: usize) {
        area.put(at, &[u8::from(self.is_err())]);
        match self {
            Ok(value) => value.lower(area, at + payload(Self::ALIGN)),
            Err(message) => message.lower(area, at + payload(Self::ALIGN)),
        }
    }
}

/// Of a variant with fewer than 256 cases: where the payload lies, given its alignment.
pub(super) const fn payload(align: usize) -> usize {
    align
}

/// Of a variant with fewer than 256 cases, given the largest payload.
pub(super) const fn variant_size(size: usize, align: usize) -> usize {
    (payload(align) + size).next_multiple_of(align)
}

pub(super) const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Of a record: where a field of type `T` lies that follows on one that ends at `end`.
pub(super) const fn place<T: Lower>(end: &mut usize) -> usize {
    let at = end.next_multiple_of(T::ALIGN);
    *end = at + T::SIZE;
    at
}

/// Implements [`Lower`] for a record, its fields in the order of the WIT.
macro_rules! record {
    ($record:ty { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Lower for $record {
            const SIZE: usize = {
                let mut end = 0;
                $(place::<$type>(&mut end);)+
                end.next_multiple_of(Self::ALIGN)
            };
            const ALIGN: usize = {
                let mut align = 1;
                $(align = larger(align, <$type>::ALIGN);)+
                align
            };

            const FIELDS: &'static [(&'static str, usize)] = &{
                let mut end = 0;
                [$((stringify!($field), place::<$type>(&mut end))),+]
            };

            fn lower(&self, area: &mut Area, start: usize) {
                let mut places = Self::FIELDS.iter().map(|(_, at)| start + at);
                $(self.$field.lower(area, places.next().expect("each field has a place"));)+
            }
        }
    };
}
pub(super) use record;
