//! `Settings`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Expr, Field, Lit, Result};

use crate::structs::{Struct, find, name_of};

pub(crate) fn settings(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let (name, generics, names) = (item.name, item.generics(), item.names());
    let values = item.fields.iter().map(|field| value(field)).collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        impl #generics ::tailwater_sdk::Settings for #name #generics {
            #[allow(unused_variables)]
            fn take(
                __table: &mut ::tailwater_sdk::Table,
            ) -> ::core::result::Result<Self, ::std::string::String> {
                // No names are bound, so that defaults see what the author sees.
                ::core::result::Result::Ok(Self { #(#names: #values),* })
            }
        }
    })
}

fn value(field: &Field) -> Result<TokenStream> {
    let (name, field_type) = (name_of(field, "name")?, &field.ty);
    let Some(default) = find(&field.attrs, "default") else {
        return Ok(quote!(__table.need::<#field_type>(#name)?));
    };
    let default: Expr = default.parse_args()?;
    // A text literal is meant for a `String`.
    let default = match &default {
        Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => quote!(#default.into()),
        _ => quote!(#default),
    };
    Ok(quote!(match __table.take::<#field_type>(#name)? {
        ::core::option::Option::Some(__value) => __value,
        ::core::option::Option::None => #default,
    }))
}
