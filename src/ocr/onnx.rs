//! The parts of an ONNX file that are looked at or changed before the runtime gets it: a text of its metadata, and the
//! classes that a recogniser tells apart.
//!
//! ONNX is Protocol Buffers. Its wire format is all that is needed: fields that are not changed are copied as they are.

use std::borrow::Cow;
use std::mem::size_of;

/// Numbers of the fields that are looked at, as `onnx.proto` gives them.
mod field {
    pub(super) const MODEL_GRAPH: u64 = 7;
    pub(super) const MODEL_METADATA: u64 = 14;
    pub(super) const ENTRY_KEY: u64 = 1;
    pub(super) const ENTRY_VALUE: u64 = 2;
    pub(super) const GRAPH_INITIALISER: u64 = 5;
    pub(super) const GRAPH_OUTPUT: u64 = 12;
    pub(super) const GRAPH_VALUE_INFO: u64 = 13;
    pub(super) const TENSOR_DIMS: u64 = 1;
    pub(super) const TENSOR_RAW_DATA: u64 = 9;
    /// From the description of an output to its shape: type, tensor, shape.
    pub(super) const OUTPUT_SHAPE: [u64; 3] = [2, 1, 2];
}

/// A text that the model's maker stored beside the weights; `None` where there is none, or where this is no ONNX file.
pub(crate) fn metadata(model: &[u8], key: &str) -> Option<String> {
    let entries = Fields(model).filter(|entry| entry.number == field::MODEL_METADATA);
    entries
        .filter_map(|entry| entry.bytes())
        .find_map(|entry| {
            let value_of = |number| Fields(entry).find(|field| field.number == number)?.bytes();
            (value_of(field::ENTRY_KEY)? == key.as_bytes()).then(|| value_of(field::ENTRY_VALUE).map(|text| text.to_vec()))?
        })
        .and_then(|text| String::from_utf8(text).ok())
}

/// The model with `kept` of the `n_classes` classes of its last layer alone, in their order.
///
/// What depends on the classes is the layer's weights and biases, which are the model's only constants with a last
/// dimension of `n_classes`, and the shapes that the file states, which the runtime infers by itself. `None` where the
/// file does not look like that.
pub(crate) fn keep_classes(model: &[u8], n_classes: usize, kept: &[usize]) -> Option<Vec<u8>> {
    let mut n_cut = 0;
    let model = edited(model, &mut |field| match field.number {
        field::MODEL_GRAPH => {
            let (graph, n_tensors) = graph_of_classes(field.bytes()?, n_classes, kept)?;
            n_cut += n_tensors;
            Some(Edit::Replace(graph))
        }
        _ => Some(Edit::Keep),
    })?;
    (n_cut == 2).then(|| model.0.concat())
}

/// The graph whose constants of `n_classes` last columns have some of them, and how many constants these are.
fn graph_of_classes<'a>(graph: &'a [u8], n_classes: usize, kept: &[usize]) -> Option<(Message<'a>, usize)> {
    let mut n_cut = 0;
    let graph = edited(graph, &mut |field| match field.number {
        field::GRAPH_INITIALISER if dimensions(field.bytes()?)?.last() == Some(&n_classes) => {
            n_cut += 1;
            Some(Edit::Replace(tensor_of_classes(field.bytes()?, n_classes, kept)?))
        }
        field::GRAPH_OUTPUT => Some(Edit::Replace(without(field.bytes()?, &field::OUTPUT_SHAPE)?)),
        field::GRAPH_VALUE_INFO => Some(Edit::Drop),
        _ => Some(Edit::Keep),
    })?;
    Some((graph, n_cut))
}

/// A tensor's dimensions; they are stored one by one or packed.
fn dimensions(tensor: &[u8]) -> Option<Vec<usize>> {
    let mut dimensions = Vec::new();
    for field in Fields(tensor).filter(|field| field.number == field::TENSOR_DIMS) {
        match field.value {
            Value::Number(dimension) => dimensions.push(usize::try_from(dimension).ok()?),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    dimensions.push(usize::try_from(varint(&mut packed)?).ok()?);
                }
            }
            Value::Fixed => return None,
        }
    }
    Some(dimensions)
}

/// A tensor of 32-bit numbers with some of its `n_classes` last columns.
fn tensor_of_classes<'a>(tensor: &'a [u8], n_classes: usize, kept: &[usize]) -> Option<Message<'a>> {
    let mut dimensions = dimensions(tensor)?;
    *dimensions.last_mut()? = kept.len();
    let mut out = Vec::new();
    for dimension in &dimensions {
        put_varint(&mut out, field::TENSOR_DIMS << 3);
        put_varint(&mut out, *dimension as u64);
    }
    let mut n_numbers = 0;
    let mut message = Message(vec![out.into()]);
    let rest = edited(tensor, &mut |field| match field.number {
        field::TENSOR_DIMS => Some(Edit::Drop),
        field::TENSOR_RAW_DATA => {
            let mut columns = Vec::new();
            for row in field.bytes()?.chunks_exact(n_classes * size_of::<f32>()) {
                for class in kept {
                    columns.extend_from_slice(row.get(class * size_of::<f32>()..(class + 1) * size_of::<f32>())?);
                }
            }
            n_numbers += columns.len() / size_of::<f32>();
            Some(Edit::Replace(Message(vec![columns.into()])))
        }
        _ => Some(Edit::Keep),
    })?;
    // Numbers that are stored otherwise, in a list or a file of their own, were not cut.
    message.0.extend(rest.0);
    (n_numbers == dimensions.iter().product::<usize>()).then_some(message)
}

/// The message without the field that a path of numbers leads to.
fn without<'a>(message: &'a [u8], path: &[u64]) -> Option<Message<'a>> {
    let (first, rest) = path.split_first()?;
    edited(message, &mut |field| match rest {
        _ if field.number != *first => Some(Edit::Keep),
        [] => Some(Edit::Drop),
        rest => Some(Edit::Replace(without(field.bytes()?, rest)?)),
    })
}

/// A message in pieces, so that the weights, which are nearly all of it, are copied once.
struct Message<'a>(Vec<Cow<'a, [u8]>>);

/// What becomes of a field.
enum Edit<'a> {
    Keep,
    Drop,
    /// New content, of a field that holds bytes.
    Replace(Message<'a>),
}

/// A message with every field edited; `None` where the message or an edit is at fault.
fn edited<'a>(message: &'a [u8], edit: &mut dyn FnMut(&Field<'a>) -> Option<Edit<'a>>) -> Option<Message<'a>> {
    let mut pieces: Vec<Cow<[u8]>> = Vec::new();
    let mut n_bytes = 0;
    for field in Fields(message) {
        n_bytes += field.whole.len();
        match edit(&field)? {
            Edit::Keep => pieces.push(field.whole.into()),
            Edit::Drop => {}
            Edit::Replace(content) => {
                let mut head = Vec::new();
                put_varint(&mut head, field.number << 3 | wire_type::BYTES);
                put_varint(&mut head, content.0.iter().map(|piece| piece.len() as u64).sum());
                pieces.push(head.into());
                pieces.extend(content.0);
            }
        }
    }
    // The reader stops at what it cannot read.
    (n_bytes == message.len()).then_some(Message(pieces))
}

/// How a field's value is stored; the two kinds of groups have been out of use since before ONNX.
mod wire_type {
    pub(super) const NUMBER: u64 = 0;
    pub(super) const FIXED_64: u64 = 1;
    pub(super) const BYTES: u64 = 2;
    pub(super) const FIXED_32: u64 = 5;
}

struct Field<'a> {
    number: u64,
    value: Value<'a>,
    /// Number, type and value as they stand in the message.
    whole: &'a [u8],
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which nothing here asks for.
    Fixed,
}

impl<'a> Field<'a> {
    fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Number(_) | Value::Fixed => None,
        }
    }
}

/// The fields of a message, up to the first that is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let mut rest = self.0;
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            wire_type::NUMBER => Value::Number(varint(&mut rest)?),
            wire_type::FIXED_64 => rest.split_off(..8).map(|_| Value::Fixed)?,
            wire_type::BYTES => {
                let n_bytes = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(rest.split_off(..n_bytes)?)
            }
            wire_type::FIXED_32 => rest.split_off(..4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Field { number: tag >> 3, value, whole })
    }
}

/// Takes a number off the front: seven bits a byte, the lowest first, the eighth bit set on all but the last.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(number: u64, value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, number << 3);
        put_varint(&mut out, value);
        out
    }

    fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, number << 3 | wire_type::BYTES);
        put_varint(&mut out, content.len() as u64);
        out.extend_from_slice(content);
        out
    }

    /// A constant with these dimensions, whose numbers count up.
    fn tensor(dimensions: &[usize]) -> Vec<u8> {
        let raw: Vec<u8> = (0..dimensions.iter().product::<usize>()).flat_map(|at: usize| (at as f32).to_le_bytes()).collect();
        let mut out: Vec<u8> = dimensions.iter().flat_map(|dimension| number(field::TENSOR_DIMS, *dimension as u64)).collect();
        out.extend([number(2, 1), bytes(8, b"name"), bytes(field::TENSOR_RAW_DATA, &raw)].concat());
        out
    }

    /// A model with a layer of two inputs and these classes, and a convolution that has nothing to do with them.
    fn model(n_classes: usize) -> Vec<u8> {
        let shape = bytes(2, &bytes(1, &[number(1, 1), bytes(2, &bytes(1, &number(1, n_classes as u64)))].concat()));
        let graph = [
            bytes(1, b"a node"),
            bytes(field::GRAPH_INITIALISER, &tensor(&[4, 3])),
            bytes(field::GRAPH_INITIALISER, &tensor(&[2, n_classes])),
            bytes(field::GRAPH_INITIALISER, &tensor(&[n_classes])),
            bytes(field::GRAPH_OUTPUT, &[bytes(1, b"out"), shape].concat()),
            bytes(field::GRAPH_VALUE_INFO, b"a shape"),
        ];
        let entry = |key: &str, text: &str| bytes(field::MODEL_METADATA, &[bytes(1, key.as_bytes()), bytes(2, text.as_bytes())].concat());
        [number(1, 8), bytes(field::MODEL_GRAPH, &graph.concat()), entry("author", "x"), entry("character", "A\nß")].concat()
    }

    /// Dimensions and numbers of a model's constants.
    fn constants(model: &[u8]) -> Vec<(Vec<usize>, Vec<f32>)> {
        let graph = Fields(model).find(|field| field.number == field::MODEL_GRAPH).unwrap().bytes().unwrap();
        let tensors = Fields(graph).filter(|field| field.number == field::GRAPH_INITIALISER);
        let floats = |raw: &[u8]| raw.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        tensors
            .map(|tensor| {
                let tensor = tensor.bytes().unwrap();
                let raw = Fields(tensor).find(|field| field.number == field::TENSOR_RAW_DATA).unwrap();
                (dimensions(tensor).unwrap(), floats(raw.bytes().unwrap()))
            })
            .collect()
    }

    #[test]
    fn the_last_layer_keeps_the_columns_of_its_classes() {
        let cut = keep_classes(&model(5), 5, &[0, 3, 4]).unwrap();
        let [convolution, weights, biases] = &constants(&cut)[..] else { panic!("three constants stay") };
        assert_eq!(convolution.0, [4, 3]);
        assert_eq!(*weights, (vec![2, 3], vec![0.0, 3.0, 4.0, 5.0, 8.0, 9.0]));
        assert_eq!(*biases, (vec![3], vec![0.0, 3.0, 4.0]));
        assert!(!cut.windows(7).any(|part| part == b"a shape"));
        assert_eq!(metadata(&cut, "character").as_deref(), Some("A\nß"));
    }

    #[test]
    fn a_model_with_another_last_layer_is_refused() {
        assert!(keep_classes(&model(5), 6, &[0]).is_none());
        assert!(keep_classes(&model(5), 5, &[5]).is_none(), "there is no such class");
        assert!(keep_classes(b"no model", 5, &[0]).is_none());
        assert!(keep_classes(&model(5)[..60], 5, &[0]).is_none());
    }

    #[test]
    fn packed_dimensions_are_read_like_others() {
        assert_eq!(dimensions(&bytes(field::TENSOR_DIMS, &[2, 0x80, 1])), Some(vec![2, 128]));
    }

    #[test]
    fn metadata_is_found_by_its_key() {
        assert_eq!(metadata(&model(5), "author").as_deref(), Some("x"));
        assert_eq!(metadata(&model(5), "reader"), None);
    }

    proptest! {
        #[test]
        fn numbers_survive_their_encoding(value: u64) {
            let encoded = number(3, value);
            let field = Fields(&encoded).next().unwrap();
            prop_assert!(matches!(field.value, Value::Number(read) if read == value));
            prop_assert_eq!(field.whole.len(), encoded.len());
        }

        #[test]
        fn junk_is_no_model_and_no_fault(junk: Vec<u8>) {
            prop_assert!(keep_classes(&junk, 5, &[0]).is_none());
        }
    }
}
