"use strict";
/* The network, one symbol at a time: the equations of charrnn/scratch/cells.py.

   A matrix is a Float32Array that holds a row for each number that comes out, so that a product reads it from end to
   end. Sums are kept in doubles. The embedding and the first matrix are folded into one table with a row of gates per
   symbol, unless that table would be large (a vocabulary of words).

   A state is a list of the layers' states, each a list of Float32Arrays; the first of them is put out and fed back. No
   state is ever written to, so whoever holds one can go on from it at any time. */

const LAYERNORM_EPS = 1e-5;
const LARGEST_TABLE = 1 << 22; // numbers

/** y = W x + b. */
function affine(weight, bias, x) {
  const rows = bias.length, columns = x.length, whole = columns & ~3;
  const y = new Float32Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let a = bias[row], b = 0, c = 0, d = 0, k = 0;
    for (; k < whole; k += 4, at += 4) {
      a += weight[at] * x[k];
      b += weight[at + 1] * x[k + 1];
      c += weight[at + 2] * x[k + 2];
      d += weight[at + 3] * x[k + 3];
    }
    for (; k < columns; k++, at++) a += weight[at] * x[k];
    y[row] = a + b + (c + d);
  }
  return y;
}

const relu = (a) => (a > 0 ? a : 0);
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
const positive = (a) => (a > 0 ? a + 0.5 : sigmoid(a));

/** A vector of `length` numbers, each a function of its place. */
function each(length, number) {
  const y = new Float32Array(length);
  for (let i = 0; i < length; i++) y[i] = number(i);
  return y;
}

/** LayerNorm. */
function normal(x, gain, bias) {
  let mean = 0, square = 0;
  for (const value of x) mean += value / x.length;
  for (const value of x) square += ((value - mean) * (value - mean)) / x.length;
  const scale = 1 / Math.sqrt(square + LAYERNORM_EPS);
  return each(x.length, (i) => (x[i] - mean) * scale * gain[i] + bias[i]);
}

/** What an LSTM does with its sums; `shown` turns the new cell into what the tanh sees. */
function remember(sums, cell, shown) {
  const n = cell.length, after = new Float32Array(n);
  for (let i = 0; i < n; i++)
    after[i] = sigmoid(sums[n + i]) * cell[i] + sigmoid(sums[i]) * Math.tanh(sums[2 * n + i]);
  const seen = shown(after);
  return [each(n, (i) => sigmoid(sums[3 * n + i]) * Math.tanh(seen[i])), after];
}

/** The steps: from the two projections, the state before and the layer's own tensors to the state after. */
const STEPS = {
  "elman-tanh": (x, h) => [each(x.length, (i) => Math.tanh(x[i] + h[i]))],
  "elman-relu": (x, h) => [each(x.length, (i) => relu(x[i] + h[i]))],
  "window-tanh": (x, h) => [each(x.length, (i) => relu(x[i]) + Math.tanh(h[i]))],
  "window-relu": (x, h) => [each(x.length, (i) => relu(x[i]) + relu(h[i]))],
  jordan(x, h, before, own) {
    const hidden = each(x.length, (i) => Math.tanh(x[i] + h[i]));
    return [affine(own.weight_ho, own.bias_ho, hidden).map(Math.tanh)];
  },
  gru(x, h, [before]) {
    const n = before.length;
    return [each(n, (i) => {
      const fresh = Math.tanh(x[2 * n + i] + sigmoid(x[i] + h[i]) * h[2 * n + i]);
      return fresh + sigmoid(x[n + i] + h[n + i]) * (before[i] - fresh);
    })];
  },
  lstm: (x, h, [, cell]) => remember(each(x.length, (i) => x[i] + h[i]), cell, (after) => after),
  "ln-lstm"(x, h, [, cell], own) {
    const a = normal(x, own.gain_ih, own.bias_ih), b = normal(h, own.gain_hh, own.bias_hh);
    return remember(each(a.length, (i) => a[i] + b[i]), cell, (after) => normal(after, own.gain_c, own.bias_c));
  },
  mingru(x, h, [before]) {
    const n = before.length;
    return [each(n, (i) => sigmoid(-x[i]) * before[i] + sigmoid(x[i]) * positive(x[n + i]))];
  },
  minlstm(x, h, [before]) {
    const n = before.length;
    return [each(n, (i) => {
      const more = softplus(-x[n + i]) - softplus(-x[i]);
      return sigmoid(more) * before[i] + sigmoid(-more) * positive(x[2 * n + i]);
    })];
  },
};

/** A number of 16 bits (IEEE 754) as a double. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

/** The tensors by name, out of base64. */
function tensorsOf(about, base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const numbers = about.type === "float16"
    ? Float32Array.from(new Uint16Array(bytes.buffer), fromHalf)
    : new Float32Array(bytes.buffer);
  const tensors = {};
  let at = 0;
  for (const [name, shape] of about.tensors) {
    const count = shape.reduce((a, b) => a * b, 1);
    tensors[name] = numbers.subarray(at, at + count);
    at += count;
  }
  return tensors;
}

/** The trained network. `start` is what it knows before any text: a state, and no scores. */
class Network {
  constructor(about, base64) {
    const tensors = tensorsOf(about, base64);
    this.size = tensors["output.bias"].length;
    this.act = STEPS[about.step];
    this.rows = tensors.rows;
    this.layers = about.layers.map((_, i) => this.layer(tensors, `layers.${i}.`));
    this.initial = about.layers.map((names, i) => names.map((name) => tensors[`initial.${i}.${name}`]));
    this.dense = [];
    for (let i = 0; `dense.${i}.bias` in tensors; i++)
      this.dense.push([tensors[`dense.${i}.weight`], tensors[`dense.${i}.bias`]]);
    this.output = [tensors["output.weight"] ?? tensors.rows, tensors["output.bias"]];
    const first = this.layers[0];
    if (this.size * first.inputBias.length <= LARGEST_TABLE)
      this.gates = Array.from({ length: this.size }, (_, id) => this.brought(id));
  }

  layer(tensors, prefix) {
    const own = {};
    for (const name in tensors) if (name.startsWith(prefix)) own[name.slice(prefix.length)] = tensors[name];
    return { own, input: own.input, inputBias: own.input_bias, hidden: own.hidden, hiddenBias: own.hidden_bias };
  }

  /** What a symbol adds to the gates of the first layer. */
  brought(id) {
    const { input, inputBias } = this.layers[0];
    if (!this.rows) return each(inputBias.length, (i) => input[i * this.size + id] + inputBias[i]);
    const width = this.rows.length / this.size;
    return affine(input, inputBias, this.rows.subarray(id * width, (id + 1) * width));
  }

  /** Read one symbol: the scores of the next one, and the state after. */
  step(id, state) {
    let y = this.gates ? this.gates[id] : this.brought(id);
    const after = this.layers.map((layer, i) => {
      const x = i ? affine(layer.input, layer.inputBias, y) : y;
      const then = this.act(x, affine(layer.hidden, layer.hiddenBias, state[i][0]), state[i], layer.own);
      y = then[0];
      return then;
    });
    for (const [weight, bias] of this.dense) y = affine(weight, bias, y).map(relu);
    return { scores: affine(this.output[0], this.output[1], y), state: after };
  }
}

/** A model that predicts from the last `length` symbols alone, read again from the initial state for each prediction. */
class WindowNetwork {
  constructor(network, length) {
    this.network = network;
    this.length = length;
    this.size = network.size;
    this.initial = [];
  }

  step(id, state) {
    const window = [...state, id].slice(-this.length);
    let read = { state: this.network.initial };
    for (const symbol of window) read = this.network.step(symbol, read.state);
    return { scores: read.scores, state: window };
  }
}

/** The probabilities of the next symbol, at a temperature; `<start>` (0) has none where `drawn` is set. */
function probabilities(scores, temperature = 1, drawn = false) {
  const first = drawn ? 1 : 0;
  let highest = -Infinity, sum = 0;
  for (let id = first; id < scores.length; id++) highest = Math.max(highest, scores[id]);
  const shares = new Float64Array(scores.length);
  for (let id = first; id < scores.length; id++) sum += shares[id] = Math.exp((scores[id] - highest) / temperature);
  return shares.map((share) => share / sum);
}

/** Minus the logarithm of the probability of a symbol. */
function natsOf(scores, id) {
  let highest = -Infinity, sum = 0;
  for (const score of scores) highest = Math.max(highest, score);
  for (const score of scores) sum += Math.exp(score - highest);
  return Math.log(sum) + highest - scores[id];
}

/** A symbol by chance; `random` is a number from 0 to 1. */
function drawn(scores, temperature, random) {
  const shares = probabilities(scores, temperature, true);
  let left = random;
  for (let id = 1; id < shares.length; id++) if ((left -= shares[id]) < 0) return id;
  return shares.indexOf(Math.max(...shares)); // what rounding left over
}
