//! `Register`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::structs::Struct;

pub(crate) fn register(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let (name, names, types) = (item.name, item.names(), item.types());
    Ok(quote! {
        impl ::tailwater_sdk::Register for #name {
            const BYTES: usize = 0 #(+ <#types as ::tailwater_sdk::Register>::BYTES)*;

            #[inline(always)]
            fn load(bytes: &[u8]) -> Self {
                #(
                    let (value, bytes) = bytes.split_at(<#types as ::tailwater_sdk::Register>::BYTES);
                    let #names = <#types as ::tailwater_sdk::Register>::load(value);
                )*
                let _ = bytes;
                Self { #(#names),* }
            }

            #[inline(always)]
            fn store(&self, bytes: &mut [u8]) {
                #(
                    let (value, bytes) = bytes.split_at_mut(<#types as ::tailwater_sdk::Register>::BYTES);
                    <#types as ::tailwater_sdk::Register>::store(&self.#names, value);
                )*
                let _ = bytes;
            }
        }
    })
}
