// Seconds that onnxruntime takes for one call of attention in f32 on the CPU: its Attention operator (opset 23)
// and its contrib MultiHeadAttention, on the same numbers.
//
//   node measure.mjs FOLDER HEADS LENGTH HEAD_DIM full|causal THREADS REPETITIONS
//
// FOLDER has node_modules/onnxruntime-node. Prints two medians; "-" for one that it refuses to run.

import { createRequire } from "node:module";
import path from "node:path";
import { oneNodeModel } from "./one_node_model.mjs";

const [folder, ...rest] = process.argv.slice(2);
const [heads, length, headDim, mask, threads, repetitions] = rest.map((word) => (/^\d+$/.test(word) ? Number(word) : word));
const ort = createRequire(path.resolve(folder, "package.json"))("onnxruntime-node");
const causal = mask === "causal" ? 1 : 0;

const operators = [
  {
    operator: "Attention", // [batch, heads, length, dim]
    inputs: ["Q", "K", "V"],
    shape: [1, heads, length, headDim],
    attributes: { is_causal: causal },
  },
  {
    operator: "MultiHeadAttention", // [batch, length, heads * dim]
    domain: "com.microsoft",
    opset: 1,
    inputs: ["query", "key", "value"],
    shape: [1, length, heads * headDim],
    attributes: { num_heads: heads, unidirectional: causal },
  },
];

// Numbers about as large as normal ones; what they are changes no time.
function numbers(count, seed) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; ++i) values[i] = 1.7 * Math.sin(12.9898 * i + seed);
  return values;
}

async function secondsOfOneCall(operator) {
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ["cpu"] };
  const session = await ort.InferenceSession.create(oneNodeModel(operator), options);
  const count = heads * length * headDim;
  const feeds = Object.fromEntries(
    operator.inputs.map((name, i) => [name, new ort.Tensor("float32", numbers(count, i), operator.shape)]),
  );
  await session.run(feeds);
  const times = [];
  while (times.length < repetitions) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    times.push(Number(process.hrtime.bigint() - start) / 1e9);
  }
  await session.release();
  return times.sort((a, b) => a - b)[times.length >> 1];
}

const medians = [];
for (const operator of operators) {
  try {
    medians.push((await secondsOfOneCall(operator)).toPrecision(5));
  } catch (error) {
    console.error(`onnxruntime ${operator.operator}: ${error.message}`);
    medians.push("-");
  }
}
console.log(medians.join(" "));
