// An ONNX model of one node, written byte by byte: the fields of onnx.proto that it takes, by their numbers.

const kFloat = 1; // TensorProto.DataType
const kVarint = 0, kLengthDelimited = 2; // protobuf's wire types

function varint(number) {
  const bytes = [];
  for (let rest = BigInt(number); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const tag = (field, wireType) => varint((field << 3) | wireType);
const integer = (field, number) => Buffer.concat([tag(field, kVarint), varint(number)]);
const bytes = (field, content) => Buffer.concat([tag(field, kLengthDelimited), varint(content.length), content]);
const text = (field, string) => bytes(field, Buffer.from(string));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

// AttributeProto: name = 1, i = 3, type = 20 (2: an integer)
const attribute = (name, number) => message(5, text(1, name), integer(3, number), integer(20, 2));

// ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 } } } }
function valueInfo(field, name, shape) {
  const dimensions = shape.map((extent) => message(1, integer(1, extent)));
  return message(field, text(1, name), message(2, message(1, integer(1, kFloat), message(2, ...dimensions))));
}

// The file of a model whose only node reads `inputs` and writes "out", all of one shape and f32.
export function oneNodeModel({ operator, domain = "", opset, inputs, shape, attributes }) {
  const node = message(
    1, // NodeProto: input = 1, output = 2, op_type = 4, attribute = 5, domain = 7
    ...inputs.map((name) => text(1, name)),
    text(2, "out"),
    text(4, operator),
    ...Object.entries(attributes).map(([name, number]) => attribute(name, number)),
    text(7, domain),
  );
  const graph = message(
    7, // GraphProto: node = 1, name = 2, input = 11, output = 12
    node,
    text(2, "one_node"),
    ...inputs.map((name) => valueInfo(11, name, shape)),
    valueInfo(12, "out", shape),
  );
  // ModelProto: ir_version = 1, graph = 7, opset_import = 8 { domain = 1, version = 2 }
  const opsets = [message(8, text(1, ""), integer(2, 23))];
  if (domain) opsets.push(message(8, text(1, domain), integer(2, opset)));
  return Buffer.concat([integer(1, 10), graph, ...opsets]);
}
