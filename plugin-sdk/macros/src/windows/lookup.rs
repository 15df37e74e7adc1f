//! `#[lookup("terminals", "terminal_id", "risk")]`: a field of `Windows` that is looked up.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, LitStr, Result, Type};

use super::{Arguments, Value};
use crate::structs::with_static;

/// What a field asks for.
pub(super) struct Lookup {
    table: LitStr,
    key: LitStr,
    column: LitStr,
}

impl Lookup {
    pub(super) fn of(attribute: &Attribute) -> Result<Self> {
        let example =
            "a lookup names table, key and column: #[lookup(\"terminals\", \"terminal_id\", \"risk\")]";
        let wrong = || Error::new_spanned(attribute, example);
        let arguments =
            attribute.parse_args_with(Arguments::<LitStr>::parse_terminated).map_err(|_| wrong())?;
        let mut names = arguments.into_iter();
        let (Some(table), Some(key), Some(column), None) =
            (names.next(), names.next(), names.next(), names.next())
        else {
            return Err(wrong());
        };
        Ok(Self { table, key, column })
    }
}

/// Each table with each key, once.
#[derive(Default)]
pub(super) struct Lookups(Vec<Group>);

struct Group {
    table: String,
    key: String,
    /// Names, and what each is for the SDK.
    columns: Vec<(String, TokenStream)>,
    mistake: String,
}

impl Lookups {
    /// `place`: the field, for people.
    pub(super) fn take(&mut self, lookup: Lookup, place: &str, field: &Type) -> Result<Value> {
        let (table, key, column) = (lookup.table.value(), lookup.key.value(), lookup.column.value());
        let found = self.0.iter().position(|group| group.table == table && group.key == key);
        let index = found.unwrap_or_else(|| {
            let mistake = format!("{place}: the row has no column `{key}` of kind int, text or bytes");
            self.0.push(Group { table, key, columns: Vec::new(), mistake });
            self.0.len() - 1
        });
        let columns = &mut self.0[index].columns;
        if columns.iter().any(|(known, _)| *known == column) {
            return Err(Error::new_spanned(lookup.column, "another field looks this up already"));
        }
        let mistake = format!("{place}: what is looked up may be missing: the field must be an Option");
        let field = with_static(field);
        let tokens = quote!(::tailwater_sdk::looked_up::<#field>(#column, #mistake));
        columns.push((column, tokens));
        Ok(Value::LookedUp(index, columns.len() - 1))
    }

    /// Where the columns of each begin, if the first begins at `first`.
    pub(super) fn starts(&self, first: usize) -> Vec<usize> {
        let lengths = self.0.iter().map(|group| group.columns.len());
        let next = |at: &mut usize, length| Some(std::mem::replace(at, *at + length));
        lengths.scan(first, next).collect()
    }

    pub(super) fn tokens(&self) -> Vec<TokenStream> {
        let token = |Group { table, key, columns, mistake }: &Group| {
            let columns = columns.iter().map(|(_, column)| column);
            quote! {
                ::tailwater_sdk::Lookup {
                    table: #table,
                    key: #key,
                    columns: &[#(#columns),*],
                    mistake: #mistake,
                }
            }
        };
        self.0.iter().map(token).collect()
    }
}
