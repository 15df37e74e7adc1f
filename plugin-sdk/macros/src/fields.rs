//! `Row` and `View`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Error, Field, Result};

use crate::structs::{Struct, find, name_of, with_static};

pub(crate) fn row(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let names = item.fields.iter().map(|field| name_of(field, "column")).collect::<Result<Vec<_>>>()?;
    let fields = fields(&item, &names);
    let (generics, this) = (item.generics(), this(&item));
    Ok(quote! {
        #fields
        impl #generics ::tailwater_sdk::Row for #this {}
    })
}

pub(crate) fn view(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let mut names = Vec::new();
    let mut origins = Vec::new();
    for field in &item.fields {
        let (name, origin) = origin(field)?;
        names.push(name);
        origins.push(origin);
    }
    let fields = fields(&item, &names);
    let (generics, this) = (item.generics(), this(&item));
    Ok(quote! {
        #fields
        impl #generics ::tailwater_sdk::View for #this {
            const ORIGINS: &'static [::tailwater_sdk::describe::Origin] =
                &[#(::tailwater_sdk::describe::Origin::#origins),*];
        }
    })
}

/// Name and origin of a column.
fn origin(field: &Field) -> Result<(TokenStream, TokenStream)> {
    let name = name_of(field, "column")?;
    match (find(&field.attrs, "features"), find(&field.attrs, "score")) {
        (None, None) => Ok((quote!(#name), quote!(Record))),
        (None, Some(_)) => Ok((quote!(#name), quote!(Score))),
        (Some(_), None) => {
            let ty = with_static(&field.ty);
            Ok((quote!(::tailwater_sdk::feature_name::<#ty>(#name)), quote!(Feature)))
        }
        _ => Err(Error::new_spanned(field, "a field comes from the features or is a score, not both")),
    }
}

fn this(item: &Struct<'_>) -> TokenStream {
    let (name, generics) = (item.name, item.generics());
    quote!(#name #generics)
}

fn fields(item: &Struct<'_>, columns: &[impl ToTokens]) -> TokenStream {
    let (this, generics, of) = (this(item), item.generics(), item.with(&quote!('__b)));
    let (names, statics, types) = (item.names(), item.static_types(), item.types());
    let count = names.len();
    let at: Vec<_> = (0..count).collect();
    let name = item.name;
    quote! {
        impl #generics ::tailwater_sdk::Fields for #this {
            const COLUMNS: &'static [::tailwater_sdk::Column] = &[#(
                ::tailwater_sdk::Column::constant(
                    #columns,
                    <#statics as ::tailwater_sdk::Field>::KIND,
                    <#statics as ::tailwater_sdk::Field>::NULLABLE,
                )
            ),*];
            type Of<'__b> = #of;
            type Readers<'__b> = [::tailwater_sdk::batch::ColumnReader<'__b>; #count];
            type Writers = [::tailwater_sdk::batch::ColumnWriter; #count];

            fn open<'__b>(
                __batch: &::tailwater_sdk::batch::Batch<'__b>,
                __at: &[usize],
            ) -> ::core::result::Result<Self::Readers<'__b>, ::tailwater_sdk::batch::Flaw> {
                ::core::result::Result::Ok([#(__batch.column(__at[#at], &<Self as ::tailwater_sdk::Fields>::COLUMNS[#at])?),*])
            }

            #[inline(always)]
            #[allow(unused_variables)]
            unsafe fn read<'__b>(__readers: &Self::Readers<'__b>, __row: usize) -> Self::Of<'__b> {
                // SAFETY: each column was opened as that of its field.
                unsafe {
                    #name { #(#names: <#statics as ::tailwater_sdk::Field>::read(&__readers[#at], __row)),* }
                }
            }

            fn writers() -> Self::Writers {
                [#(::tailwater_sdk::batch::ColumnWriter::new(&<Self as ::tailwater_sdk::Fields>::COLUMNS[#at])),*]
            }

            #[inline(always)]
            #[allow(unused_variables)]
            fn write(&self, __writers: &mut Self::Writers) {
                #(<#types as ::tailwater_sdk::Field>::write(&self.#names, &mut __writers[#at]);)*
            }
        }
    }
}
