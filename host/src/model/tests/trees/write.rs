//! Small models of trees, written byte by byte.

/// A message of protobuf.
#[derive(Clone, Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    pub fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.as_ref().len() as u64);
        self.0.extend(bytes.as_ref());
        self
    }

    pub fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, message.0)
    }
}

fn attribute(name: &str, kind: u64) -> Message {
    Message::default().bytes(1, name).number(20, kind)
}

pub(super) fn int(name: &str, value: i64) -> Message {
    attribute(name, 2).number(3, value as u64)
}

/// One by one; [`packed`] does it the other way.
pub(super) fn ints(name: &str, values: &[i64]) -> Message {
    values.iter().fold(attribute(name, 7), |message, value| message.number(8, *value as u64))
}

pub(super) fn packed(name: &str, values: &[i64]) -> Message {
    let mut list = Message::default();
    values.iter().for_each(|value| list.varint(*value as u64));
    attribute(name, 7).message(8, list)
}

pub(super) fn strings(name: &str, values: &[&str]) -> Message {
    values.iter().fold(attribute(name, 8), |message, value| message.bytes(9, value))
}

pub(super) fn floats(name: &str, values: &[f32]) -> Message {
    attribute(name, 6).bytes(7, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

/// Of floats; raw.
pub(super) fn tensor(name: &str, values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = Message::default().number(1, values.len() as u64).number(2, 1).bytes(9, raw);
    attribute(name, 4).message(5, tensor)
}

pub(super) fn byte_tensor(name: &str, values: &[u8]) -> Message {
    let tensor = Message::default().number(1, values.len() as u64).number(2, 2).bytes(9, values);
    attribute(name, 4).message(5, tensor)
}

/// A graph from the matrix `x` of `width` columns to `score`.
pub(super) fn graph(operator: &str, width: u64, attributes: &[Message]) -> Message {
    let mut node = Message::default().bytes(1, "x").bytes(2, "score").bytes(3, "forest");
    node = node.bytes(4, operator).bytes(7, "ai.onnx.ml");
    let node = attributes.iter().fold(node, |node, one| node.message(5, one.clone()));
    let value = |name: &str, width: u64| {
        let rows = Message::default().bytes(2, "N");
        let shape = Message::default().message(1, rows).message(1, Message::default().number(1, width));
        let tensor = Message::default().number(1, 1).message(2, shape);
        Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
    };
    let graph = Message::default().message(1, node).bytes(2, "trees");
    graph.message(11, value("x", width)).message(12, value("score", 1))
}

pub(super) fn model(graph: Message, version: u64) -> Vec<u8> {
    let opset = |domain: &str, version| Message::default().bytes(1, domain).number(2, version);
    let model = Message::default().number(1, 10).message(8, opset("", 17));
    model.message(8, opset("ai.onnx.ml", version)).message(7, graph).0
}
