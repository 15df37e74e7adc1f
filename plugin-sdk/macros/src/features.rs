//! `Features`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Field, Result};

use crate::structs::{Struct, find, name_of, with_static};

pub(crate) fn vector(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let (ids, numbers): (Vec<&Field>, Vec<&Field>) =
        item.fields.iter().partition(|field| find(&field.attrs, "id").is_some());
    let feature_names = names(&numbers)?;
    let id_names = names(&ids)?;
    let statics = ids.iter().map(|field| with_static(&field.ty));
    let id_types = ids.iter().map(|field| &field.ty);
    let id_fields = ids.iter().map(|field| &field.ident);
    let fields = numbers.iter().map(|field| &field.ident);
    let at = 0..ids.len();
    let (name, generics) = (item.name, item.generics());
    Ok(quote! {
        impl #generics ::tailwater_sdk::Vector for #name #generics {
            const NAMES: &'static [&'static str] = &[#(#feature_names),*];
            const IDS: &'static [::tailwater_sdk::Column] = &[#(
                ::tailwater_sdk::Column::constant(
                    #id_names,
                    <#statics as ::tailwater_sdk::Field>::KIND,
                    <#statics as ::tailwater_sdk::Field>::NULLABLE,
                )
            ),*];

            #[inline(always)]
            #[allow(unused_variables)]
            fn write(
                &self,
                __matrix: &mut ::std::vec::Vec<f32>,
                __ids: &mut [::tailwater_sdk::batch::ColumnWriter],
            ) {
                __matrix.extend_from_slice(&[#(::tailwater_sdk::Number::number(&self.#fields)),*]);
                #(<#id_types as ::tailwater_sdk::Field>::write(&self.#id_fields, &mut __ids[#at]);)*
            }
        }
    })
}

fn names(fields: &[&Field]) -> Result<Vec<String>> {
    fields.iter().map(|field| name_of(field, "name")).collect()
}
