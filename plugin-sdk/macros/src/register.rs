//! `Register`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::structs::Struct;

pub(crate) fn register(input: &DeriveInput) -> Result<TokenStream> {
    let item = Struct::of(input)?;
    let (name, names, types) = (item.name, item.names(), item.types());
    let short = "as many bytes as declared";
    Ok(quote! {
        impl ::tailwater_sdk::Register for #name {
            const BYTES: usize = 0 #(+ <#types as ::tailwater_sdk::Register>::BYTES)*;

            #[inline(always)]
            #[allow(unused_mut, unused_variables)]
            fn load(__bytes: &[u8]) -> Self {
                let mut __rest = __bytes;
                Self {#(
                    #names: <#types as ::tailwater_sdk::Register>::load(
                        <[u8]>::split_off(&mut __rest, ..<#types as ::tailwater_sdk::Register>::BYTES)
                            .expect(#short),
                    )
                ),*}
            }

            #[inline(always)]
            #[allow(unused_mut, unused_variables)]
            fn store(&self, __bytes: &mut [u8]) {
                let mut __rest = __bytes;
                #(
                    <#types as ::tailwater_sdk::Register>::store(
                        &self.#names,
                        <[u8]>::split_off_mut(&mut __rest, ..<#types as ::tailwater_sdk::Register>::BYTES)
                            .expect(#short),
                    );
                )*
            }
        }
    })
}
