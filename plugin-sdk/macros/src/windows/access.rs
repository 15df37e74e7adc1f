//! How a struct of `Windows` is read from a batch and written to one.

use proc_macro2::TokenStream;
use quote::quote;

use super::Value;
use crate::structs::Struct;

/// What is done with the column of one field.
struct Access {
    /// Place among the columns, of which aggregates are the first.
    at: usize,
    open: TokenStream,
    read: TokenStream,
    writer: TokenStream,
    write: TokenStream,
}

/// `starts`: where the columns of each lookup begin.
pub(super) fn reading_and_writing(item: &Struct<'_>, values: &[Value], starts: &[usize]) -> TokenStream {
    let (name, of, names) = (item.name, item.with(&quote!('__b)), item.names());
    let accesses: Vec<Access> = (0..values.len())
        .map(|field| match values[field] {
            Value::Aggregate(index) => of_aggregate(item, field, index),
            Value::LookedUp(lookup, column) => {
                of_lookup(item, field, lookup, column, starts[lookup] + column)
            }
        })
        .collect();
    let mut in_order: Vec<&Access> = accesses.iter().collect();
    in_order.sort_by_key(|access| access.at);
    let writers = in_order.iter().map(|access| &access.writer);
    let opens = accesses.iter().map(|access| &access.open);
    let reads = accesses.iter().map(|access| &access.read);
    let writes = accesses.iter().map(|access| &access.write);
    let count = values.len();
    quote! {
        type Of<'__b> = #of;
        type Readers<'__b> = [::tailwater_sdk::batch::ColumnReader<'__b>; #count];

        #[allow(unused_variables)]
        fn open<'__b, __R: ::tailwater_sdk::Fields>(
            __batch: &::tailwater_sdk::batch::Batch<'__b>,
            __first: usize,
        ) -> ::core::result::Result<Self::Readers<'__b>, ::tailwater_sdk::batch::Flaw> {
            ::core::result::Result::Ok([#(#opens?),*])
        }

        #[inline(always)]
        #[allow(unused_variables)]
        unsafe fn read<'__b, __R: ::tailwater_sdk::Fields>(
            __readers: &Self::Readers<'__b>,
            __row: usize,
        ) -> Self::Of<'__b> {
            // SAFETY: each column was opened as one of this kind.
            unsafe {
                #name { #(#names: #reads),* }
            }
        }

        fn writers<__R: ::tailwater_sdk::Fields>() -> ::std::vec::Vec<::tailwater_sdk::batch::ColumnWriter> {
            ::std::vec![#(#writers),*]
        }

        #[allow(unused_variables)]
        fn write<__R: ::tailwater_sdk::Fields>(
            &self,
            __writers: &mut [::tailwater_sdk::batch::ColumnWriter],
        ) {
            #(#writes;)*
        }
    }
}

fn of_aggregate(item: &Struct<'_>, field: usize, at: usize) -> Access {
    let (name, of_static, of_field) = (item.names()[field], &item.static_types()[field], item.types()[field]);
    let kind = quote!(const { ::tailwater_sdk::kind_of::<Self, __R, #of_static>(#at) });
    Access {
        at,
        open: quote!(::tailwater_sdk::open_cell(__batch, __first + #at, #kind)),
        read: quote!(<#of_static as ::tailwater_sdk::Cell>::read(&__readers[#field], __row, #kind)),
        writer: quote!(::tailwater_sdk::cell_writer(#kind)),
        write: quote!(<#of_field as ::tailwater_sdk::Cell>::write(&self.#name, &mut __writers[#at], #kind)),
    }
}

fn of_lookup(item: &Struct<'_>, field: usize, lookup: usize, column: usize, at: usize) -> Access {
    let (name, of_static, of_field) = (item.names()[field], &item.static_types()[field], item.types()[field]);
    let column = quote!(&<Self as ::tailwater_sdk::Windows>::LOOKUPS[#lookup].columns[#column]);
    Access {
        at,
        open: quote!(__batch.column(__first + #at, #column)),
        read: quote!(<#of_static as ::tailwater_sdk::Field>::read(&__readers[#field], __row)),
        writer: quote!(::tailwater_sdk::batch::ColumnWriter::new(#column)),
        write: quote!(<#of_field as ::tailwater_sdk::Field>::write(&self.#name, &mut __writers[#at])),
    }
}
