//! What the table looks like, and the statements about it.

use std::fmt::Write;

use super::copy::type_of;
use crate::columns::Column;
use crate::config::Postgres;
use crate::error::{Code, Error, Result};
use crate::store::rows::{IDENTITY, Layout};

/// PostgreSQL cuts longer names off without a word.
const LONGEST_NAME: usize = 63;
/// What rows are copied into.
const STAGE: &str = "pg_temp.\"tailwater rows\"";

/// The table as it is to be.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub schema: Option<String>,
    pub table: String,
    columns: Vec<Column>,
}

/// A column that there is.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub name: String,
    /// As PostgreSQL writes it.
    pub kind: String,
    /// It takes no null, and nobody but us fills it.
    pub is_demanding: bool,
}

impl Shape {
    pub fn new(section: &Postgres, layout: &Layout) -> Result<Self> {
        let columns = layout.schema.to_vec();
        for column in &columns {
            if column.name.len() > LONGEST_NAME || column.name.contains('\0') {
                let text = format!(
                    "column {:?}: PostgreSQL takes names of {LONGEST_NAME} bytes at most",
                    column.name
                );
                return Err(Error::new(Code::Mismatch, text));
            }
        }
        let (schema, table) = section.place();
        Ok(Self { schema: schema.map(str::to_owned), table: table.to_owned(), columns })
    }

    /// Makes the table, in this schema.
    pub fn create(&self, schema: &str) -> String {
        let mut text = format!("CREATE TABLE {} (", self.name(schema));
        for column in &self.columns {
            let _ = write!(text, "\n  {},", declared(column));
        }
        text + &format!("\n  PRIMARY KEY ({})\n)", self.identity())
    }

    /// Makes what rows are copied into.
    pub fn create_stage(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(declared).collect();
        format!("CREATE TEMPORARY TABLE {STAGE} ({}) ON COMMIT DELETE ROWS", columns.join(", "))
    }

    pub fn copy(&self) -> String {
        format!("COPY {STAGE} FROM STDIN (FORMAT binary)")
    }

    /// Moves the rows to where they belong. What is there already is not touched.
    pub fn insert(&self, schema: &str) -> String {
        let list = |before: &str| {
            let columns = self.columns.iter().map(|column| format!("{before}{}", quoted(&column.name)));
            columns.collect::<Vec<_>>().join(", ")
        };
        let rest = &self.columns[IDENTITY..];
        let set = rest.iter().map(|column| format!("{0} = excluded.{0}", quoted(&column.name)));
        let differs = rest.iter().map(|column| {
            let name = quoted(&column.name);
            format!("old.{name} IS DISTINCT FROM excluded.{name}")
        });
        let (columns, set, differs) =
            (list(""), set.collect::<Vec<_>>().join(", "), differs.collect::<Vec<_>>().join(" OR "));
        format!(
            "INSERT INTO {} AS old ({columns}) SELECT {columns} FROM {STAGE} \
             ON CONFLICT ({}) DO UPDATE SET {set} WHERE {differs}",
            self.name(schema),
            self.identity()
        )
    }

    /// What is to be added to a table that is there; none, if it is as it is to be.
    pub fn compare(&self, schema: &str, found: &[Found], keys: &[Vec<String>]) -> Result<Option<String>> {
        let (mut faults, mut missing) = (Vec::new(), Vec::new());
        for column in &self.columns {
            let (name, wanted) = (&column.name, type_of(column.kind));
            match found.iter().find(|found| found.name == *name) {
                Some(found) if found.kind == wanted => {}
                Some(found) => {
                    faults.push(format!("column {name:?} is {}, and has to be {wanted}", found.kind))
                }
                None if column.nullable => missing.push(format!("ADD COLUMN {}", declared(column))),
                None => faults.push(format!("it has no column {name:?}")),
            }
        }
        let is_ours = |found: &Found| self.columns.iter().any(|column| column.name == found.name);
        for found in found.iter().filter(|found| found.is_demanding && !is_ours(found)) {
            faults.push(format!(
                "column {:?} takes no null and has no default, but nothing is said for it",
                found.name
            ));
        }
        let mut identity: Vec<&str> = self.columns[..IDENTITY].iter().map(|one| one.name.as_str()).collect();
        identity.sort_unstable();
        if !keys.iter().any(|key| key.iter().eq(identity.iter().copied())) {
            faults.push(format!("it has no primary key or unique constraint on ({})", self.identity()));
        }
        let name = self.name(schema);
        if faults.is_empty() {
            return Ok((!missing.is_empty()).then(|| format!("ALTER TABLE {name} {}", missing.join(", "))));
        }
        let text = format!(
            "table {name} is not as it has to be: {}\nRename it, and it is made anew; or mend it. It would be made by:\n{}",
            faults.join("; "),
            self.create(schema)
        );
        Err(Error::new(Code::StoreTable, text))
    }

    pub fn name(&self, schema: &str) -> String {
        format!("{}.{}", quoted(schema), quoted(&self.table))
    }

    fn identity(&self) -> String {
        let names: Vec<_> = self.columns[..IDENTITY].iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }
}

fn declared(column: &Column) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", quoted(&column.name), type_of(column.kind))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Kind;
    use crate::store::Outputs;

    fn shape() -> Shape {
        let columns = [Column::new("score", Kind::Single), Column::nullable("a\"b.c", Kind::Text)];
        let outputs =
            Outputs { release: 1, topics: vec!["out".to_owned()], columns: columns.into(), windows: false };
        let section = Postgres {
            url: "postgresql://h/d".to_owned(),
            table: "decisions".to_owned(),
            password_file: None,
            tls: None,
        };
        Shape::new(&section, &Layout::new(&outputs).unwrap()).unwrap()
    }

    /// As [`Shape::create`] makes them.
    fn found(shape: &Shape) -> Vec<Found> {
        let found = |column: &Column| Found {
            name: column.name.clone(),
            kind: type_of(column.kind).to_owned(),
            is_demanding: !column.nullable,
        };
        shape.columns.iter().map(found).collect()
    }

    fn keys() -> Vec<Vec<String>> {
        let names = ["tailwater_index", "tailwater_offset", "tailwater_partition", "tailwater_topic"];
        vec![vec!["id".to_owned()], names.map(str::to_owned).to_vec()]
    }

    #[test]
    fn names_are_quoted() {
        let text = shape().create("pub\"lic");
        assert!(text.starts_with("CREATE TABLE \"pub\"\"lic\".\"decisions\" ("), "{text}");
        assert!(text.contains("\"score\" real,") && text.contains("\"a\"\"b.c\" text,"), "{text}");
        assert!(text.contains("\"tailwater_offset\" bigint NOT NULL,"), "{text}");
    }

    #[test]
    fn a_table_as_it_is_made_is_as_it_has_to_be() {
        let shape = shape();
        assert_eq!(shape.compare("public", &found(&shape), &keys()).unwrap(), None);
        let mut more = found(&shape);
        more.push(Found { name: "note".to_owned(), kind: "jsonb".to_owned(), is_demanding: false });
        assert_eq!(
            shape.compare("public", &more, &keys()).unwrap(),
            None,
            "others may have columns of their own"
        );
    }

    #[test]
    fn columns_of_outputs_are_added() {
        let shape = shape();
        let less: Vec<_> = found(&shape).into_iter().filter(|found| found.name != "score").collect();
        let alter = shape.compare("public", &less, &keys()).unwrap();
        assert_eq!(alter.unwrap(), "ALTER TABLE \"public\".\"decisions\" ADD COLUMN \"score\" real");
    }

    #[test]
    fn what_differs_is_named() {
        let shape = shape();
        let mut other: Vec<_> =
            found(&shape).into_iter().filter(|found| found.name != "tailwater_index").collect();
        other.iter_mut().find(|found| found.name == "score").unwrap().kind = "integer".to_owned();
        other.push(Found { name: "mine".to_owned(), kind: "text".to_owned(), is_demanding: true });
        let error = shape.compare("public", &other, &[]).unwrap_err();
        assert_eq!(error.code, Code::StoreTable);
        for part in [
            "column \"score\" is integer, and has to be real",
            "it has no column \"tailwater_index\"",
            "column \"mine\" takes no null",
            "no primary key or unique constraint",
        ] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn names_that_would_be_cut_off_are_refused() {
        let columns = [Column::new("x".repeat(64), Kind::Int)];
        let outputs = Outputs { release: 1, topics: Vec::new(), columns: columns.into(), windows: false };
        let section = Postgres { url: String::new(), table: "t".to_owned(), password_file: None, tls: None };
        let error = Shape::new(&section, &Layout::new(&outputs).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::Mismatch);
    }
}
