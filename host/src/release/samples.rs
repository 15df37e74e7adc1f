//! Contents for tests.

use super::manifest::{Artifact, Content, Digest, Facts, How};
use crate::config::Role;

/// Of a content that has this number for its id and its only file.
pub(super) fn facts(content: u8) -> Facts {
    let artifact = Artifact {
        role: Role::Features(0),
        file: "f.wasm".to_owned(),
        digest: Digest([content; 32]),
        bytes: 3,
        signature: (content % 2 == 1).then_some([content; 64]),
    };
    Facts {
        content: Content {
            id: format!("{content:016x}"),
            configuration: "name = \"p\"\n".to_owned(),
            artifacts: vec![artifact],
        },
        by: "somebody@somewhere".to_owned(),
        how: How::Apply,
        at: 1_700_000_000_000,
        why: "it is better".to_owned(),
        returns_to: (content == 9).then_some(3),
        bootstrap: (content == 8).then_some(1_600_000_000_000),
        generation: if content == 8 { 4 } else { 0 },
    }
}
