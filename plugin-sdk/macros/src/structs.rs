//! What all derives for structs have in common.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Lifetime, LitStr, Result};

/// A struct with named fields and at most one lifetime.
pub(crate) struct Struct<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) fields: Vec<&'a Field>,
    lifetime: Option<&'a Lifetime>,
}

impl<'a> Struct<'a> {
    pub(crate) fn of(input: &'a DeriveInput) -> Result<Self> {
        let refuse = |what| Err(Error::new_spanned(&input.ident, what));
        let Data::Struct(data) = &input.data else { return refuse("this must be a struct") };
        let fields = match &data.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unit => Vec::new(),
            _ => return refuse("the fields must have names"),
        };
        let mut lifetimes = input.generics.lifetimes();
        let lifetime = lifetimes.next().map(|parameter| &parameter.lifetime);
        if lifetimes.next().is_some() {
            return refuse("the struct may have one lifetime only");
        }
        if input.generics.type_params().next().is_some() || input.generics.const_params().next().is_some() {
            return refuse("the struct may have no type parameters");
        }
        Ok(Self { name: &input.ident, fields, lifetime })
    }

    /// `<'a>`, as declared, or nothing.
    pub(crate) fn generics(&self) -> TokenStream {
        self.lifetime.map(|lifetime| quote!(<#lifetime>)).unwrap_or_default()
    }

    /// The struct with another lifetime.
    pub(crate) fn with(&self, lifetime: &TokenStream) -> TokenStream {
        let name = self.name;
        if self.lifetime.is_some() { quote!(#name<#lifetime>) } else { quote!(#name) }
    }

    pub(crate) fn names(&self) -> Vec<&Ident> {
        self.fields.iter().filter_map(|field| field.ident.as_ref()).collect()
    }

    /// Types of the fields, all lifetimes being `'static`.
    pub(crate) fn static_types(&self) -> Vec<TokenStream> {
        self.fields.iter().map(|field| with_static(&field.ty)).collect()
    }

    pub(crate) fn types(&self) -> Vec<&syn::Type> {
        self.fields.iter().map(|field| &field.ty).collect()
    }
}

/// Name of a field, unless an attribute `#[attribute("...")]` gives another.
pub(crate) fn name_of(field: &Field, attribute: &str) -> Result<String> {
    match find(&field.attrs, attribute) {
        Some(attribute) => Ok(attribute.parse_args::<LitStr>()?.value()),
        None => Ok(plain_name(field.ident.as_ref().expect("fields have names"))),
    }
}

/// Without `r#`.
pub(crate) fn plain_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

pub(crate) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.path().is_ident(name))
}

/// All lifetimes that are written become `'static`.
pub(crate) fn with_static(tokens: &impl ToTokens) -> TokenStream {
    let mut after_quote = false;
    let replace = |token: TokenTree| {
        let is_lifetime = std::mem::replace(
            &mut after_quote,
            matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\''),
        );
        match token {
            TokenTree::Ident(ident) if is_lifetime => Ident::new("static", ident.span()).into(),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_static(&group.stream()));
                inner.set_span(group.span());
                inner.into()
            }
            other => other,
        }
    };
    tokens.to_token_stream().into_iter().map(replace).collect()
}
