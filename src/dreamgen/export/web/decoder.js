// The decoder: codes to the mean of p(x|z), in float32 with sums in float64. It agrees with dreamgen's own.

const MODEL = JSON.parse(document.getElementById("model").textContent);

function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

// Little-endian on every machine, as the file is written.
function readWeights(base64, type) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const view = new DataView(bytes.buffer), wide = type === "float32" ? 4 : 2;
  const weights = new Float32Array(bytes.length / wide);
  for (let i = 0; i < weights.length; i++) {
    weights[i] = wide === 4 ? view.getFloat32(4 * i, true) : halfToFloat(view.getUint16(2 * i, true));
  }
  return weights;
}

// Each layer's matrix, (outputs, inputs) row by row, then its bias.
function readLayers(weights) {
  let at = 0;
  return MODEL.layers.map(([inputs, outputs, activation]) => {
    const matrix = weights.subarray(at, at += inputs * outputs), bias = weights.subarray(at, at += outputs);
    return { inputs, outputs, matrix, bias, activation: FUNCTIONS[activation] };
  });
}

// 1 - erf(x) for x >= 0, relative error below 1.2e-7: Numerical Recipes in C, 2nd edition, 1992, section 6.2.
function erfc(x) {
  const t = 1 / (1 + 0.5 * x);
  const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  return t * Math.exp(-x * x + terms.reduceRight((sum, term) => sum * t + term, 0));
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const FUNCTIONS = {
  identity: (x) => x,
  sigmoid,
  relu: (x) => (x > 0 ? x : 0),
  tanh: Math.tanh,
  "leaky-relu": (x) => (x > 0 ? x : 0.2 * x),
  silu: (x) => x * sigmoid(x),
  gelu: (x) => 0.5 * x * (x < 0 ? erfc(-x / Math.SQRT2) : 2 - erfc(x / Math.SQRT2)),
  softplus: (x) => (x > 20 ? x : Math.log1p(Math.exp(x))),
};

const LAYERS = readLayers(readWeights(document.getElementById("weights").textContent, MODEL.weights));

// A code, MODEL.latents numbers, to a picture, height * width * channels numbers.
function decode(z) {
  let h = Float32Array.from(z);
  for (const { inputs, outputs, matrix, bias, activation } of LAYERS) {
    const next = new Float32Array(outputs);
    for (let row = 0, at = 0; row < outputs; row++) {
      let sum = bias[row];
      for (let column = 0; column < inputs; column++) sum += matrix[at++] * h[column];
      next[row] = activation(sum);
    }
    h = next;
  }
  if (MODEL.unitRange) for (let i = 0; i < h.length; i++) h[i] = Math.min(1, Math.max(0, h[i]));
  return h;
}

// The standard normal prior: uniform numbers by mulberry32, normal ones by Box and Muller.
let seed = MODEL.seed >>> 0;
function uniform() {
  seed = (seed + 0x6d2b79f5) >>> 0;
  let t = seed;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
function normal() {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
function fromPrior() {
  return Float32Array.from({ length: MODEL.latents }, normal);
}
