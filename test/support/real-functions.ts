// The functions of the transcendental x87 instructions by their power series in 320-bit fixed point, and the rounding of a real number to the
// 80-bit format: what the specs hold the processor against. Slow and plain; shares nothing with the processor's own (x87/fixed.ts).

/** A number sign * significand * 2^scale. */
export interface Exact {
  readonly sign: 0 | 1;
  readonly significand: bigint;
  readonly scale: number;
}
/** A positive irrational number, cut off: magnitude * 2^scale. */
export interface Irrational {
  readonly magnitude: bigint;
  readonly scale: number;
}

const BITS = 320;
const SHIFT = BigInt(BITS);
const ONE = 1n << SHIFT;
const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;
const over = (a: bigint, b: bigint): bigint => (a << SHIFT) / b;
const length = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);
const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** The sum of first, next(first, 1), ... until a term vanishes. */
const series = (first: bigint, next: (term: bigint, n: number) => bigint): bigint => {
  let sum = 0n;
  for (let term = first, n = 1; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = next(term, n);
  }
  return sum;
};
/** 1 + x/3 + x^2/5 + ... */
const oddSeries = (x: bigint): bigint => {
  let power = ONE;
  return series(ONE, (_, n) => {
    power = times(power, x);
    return power / BigInt(2 * n + 1);
  });
};
const arctangentRatio = (t: bigint): bigint => oddSeries(-times(t, t));
const sineRatio = (t: bigint): bigint =>
  series(ONE, (term, n) => -times(term, times(t, t)) / BigInt(2 * n * (2 * n + 1)));
const cosine = (t: bigint): bigint => series(ONE, (term, n) => -times(term, times(t, t)) / BigInt(2 * n * (2 * n - 1)));

/** Gauss's formula. */
const inverseTangent = (n: bigint): bigint => times(ONE / n, arctangentRatio(ONE / n));
const PI = 48n * inverseTangent(18n) + 32n * inverseTangent(57n) - 20n * inverseTangent(239n);
/** ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749). */
const inverseHyperbolic = (n: bigint): bigint => times(ONE / n, oddSeries(times(ONE / n, ONE / n)));
const LN2 = 18n * inverseHyperbolic(26n) - 2n * inverseHyperbolic(4801n) + 8n * inverseHyperbolic(8749n);

const inUnits = ({ significand, scale }: { significand: bigint; scale: number }): bigint =>
  scale + BITS >= 0 ? significand << BigInt(scale + BITS) : significand >> BigInt(-scale - BITS);
/** A ratio that is below (or above) 1 stays there when what it differs by is too small for the fixed point. */
const apart = (ratio: bigint, by: 1n | -1n): bigint => (ratio === ONE ? ONE + by : ratio);

/** Pi to 66 bits: what the processors reduce with. */
const HALF_PI = (PI >> (SHIFT - 64n)) << (SHIFT - 65n);
/** |a| less the nearest multiple of pi/2: magnitude * 2^scale. */
const reduce = (a: Exact): { quadrant: number; negative: boolean; rest: { significand: bigint; scale: number } } => {
  const units = inUnits(a);
  const quotient = (units + HALF_PI / 2n) / HALF_PI;
  if (quotient === 0n) return { quadrant: 0, negative: false, rest: a };
  const rest = units - quotient * HALF_PI;
  return { quadrant: Number(quotient & 3n), negative: rest < 0n, rest: { significand: absolute(rest), scale: -BITS } };
};
interface Signed extends Irrational {
  readonly sign: number;
}
const sineAndCosine = (a: Exact): { sine: Signed; cosine: Signed } => {
  const { quadrant, negative, rest } = reduce(a);
  const t = inUnits(rest);
  const s = { magnitude: rest.significand * apart(sineRatio(t), -1n), scale: rest.scale - BITS };
  const c = { magnitude: apart(cosine(t), -1n), scale: -BITS };
  const high = quadrant >> 1;
  const odd = (quadrant & 1) === 1;
  return {
    sine: odd ? { ...c, sign: a.sign ^ high } : { ...s, sign: a.sign ^ high ^ Number(negative) },
    cosine: odd ? { ...s, sign: 1 ^ high ^ Number(negative) } : { ...c, sign: high },
  };
};
export const sine = (a: Exact): Signed => sineAndCosine(a).sine;
export const cosineOf = (a: Exact): Signed => sineAndCosine(a).cosine;
export const tangent = (a: Exact): Signed => {
  const { sine: s, cosine: c } = sineAndCosine(a);
  const room = BITS + length(c.magnitude) - length(s.magnitude);
  return {
    magnitude: (s.magnitude << BigInt(room)) / c.magnitude,
    scale: s.scale - c.scale - room,
    sign: s.sign ^ c.sign,
  };
};

/** atan(y / x) in (0, pi). */
export const angle = (y: Exact, x: Exact): Irrational => {
  const room = BITS + length(x.significand) - length(y.significand);
  const quotient = { significand: (y.significand << BigInt(room)) / x.significand, scale: y.scale - x.scale - room };
  const exponent = length(quotient.significand) + quotient.scale;
  // Halving the angle twice: tan(z / 2) = t / (1 + sqrt(1 + t^2)).
  const root = (value: bigint): bigint => {
    let r = 1n << BigInt((length(value) + 2) >> 1);
    for (;;) {
      const next = (r + value / r) >> 1n;
      if (next >= r) return r;
      r = next;
    }
  };
  const arc = (t: bigint): bigint => {
    let u = t;
    for (let i = 0; i < 3; i++) u = over(u, ONE + root((ONE + times(u, u)) << SHIFT));
    return 8n * times(u, arctangentRatio(u));
  };
  if (exponent < -4 && x.sign === 0)
    return {
      magnitude: quotient.significand * apart(arctangentRatio(inUnits(quotient)), -1n),
      scale: quotient.scale - BITS,
    };
  let value: bigint;
  if (exponent <= 0) value = arc(inUnits(quotient));
  else {
    const back = BITS + length(y.significand) - length(x.significand);
    const inverse = { significand: (x.significand << BigInt(back)) / y.significand, scale: x.scale - y.scale - back };
    value = PI / 2n - arc(inUnits(inverse));
  }
  return { magnitude: x.sign ? PI - value : value, scale: -BITS };
};

/** |2^a - 1|, |a| < 1. */
export const powerMinusOne = (a: Exact): Irrational => {
  const t = times(inUnits(a), LN2) * (a.sign ? -1n : 1n);
  const ratio = series(ONE, (term, n) => times(term, t) / BigInt(n + 1));
  return { magnitude: a.significand * times(ratio, LN2), scale: a.scale - BITS };
};

/** |log2(1 + d / b)| for the exact d and b; |d / b| from -1 to what is needed. */
const logarithmOfSum = (d: Exact, b: Exact): Irrational => {
  const room = BITS + length(b.significand) - length(d.significand);
  const q = { significand: (d.significand << BigInt(room)) / b.significand, scale: d.scale - b.scale - room };
  const t = inUnits(q) * (d.sign ? -1n : 1n);
  // ln(1 + t) = 2 atanh(t / (2 + t)), after square roots have brought 1 + t near 1.
  if (length(q.significand) + q.scale < -3) {
    const u = over(t, 2n * ONE + t);
    const ratio = over(2n * oddSeries(times(u, u)), 2n * ONE + t);
    return { magnitude: q.significand * over(ratio, LN2), scale: q.scale - BITS };
  }
  let m = ONE + t;
  let k = 0n;
  for (; m >= 2n * ONE; m >>= 1n) k++;
  for (; m < ONE; m <<= 1n) k--;
  const u = over(m - ONE, m + ONE);
  return { magnitude: absolute(over(2n * times(u, oddSeries(times(u, u))), LN2) + k * ONE), scale: -BITS };
};
const one = (sign: 0 | 1): Exact => ({ sign, significand: 1n, scale: 0 });
/** |log2(x)|, x > 0 and not 1. */
export const logarithm = (x: Exact): Irrational => {
  // x = m * 2^k, m from 3/4 to 3/2.
  let k = length(x.significand) - 1 + x.scale;
  let m: Exact = { ...x, scale: x.scale - k };
  if (m.significand * 2n >= 3n << BigInt(length(x.significand) - 1)) {
    k++;
    m = { ...m, scale: m.scale - 1 };
  }
  const unit = 1n << BigInt(-m.scale);
  const d = m.significand - unit;
  if (d === 0n) return { magnitude: BigInt(Math.abs(k)) << SHIFT, scale: -BITS };
  const near = logarithmOfSum({ sign: d < 0n ? 1 : 0, significand: absolute(d), scale: m.scale }, one(0));
  if (k === 0) return near;
  const value = (near.magnitude << 64n) >> BigInt(64 - BITS - near.scale);
  return { magnitude: absolute(BigInt(k) * ONE + (d < 0n ? -value : value)), scale: -BITS };
};
/** |log2(1 + x)|, x > -1 and not 0. */
export const logarithmPlusOne = (x: Exact): Irrational => {
  const exponent = length(x.significand) - 1 + x.scale;
  if (exponent < 0) return logarithmOfSum(x, one(0));
  if (exponent > 400) return logarithm(x);
  const low = Math.min(x.scale, 0);
  return logarithm({
    sign: 0,
    significand: (x.significand << BigInt(x.scale - low)) + (1n << BigInt(-low)),
    scale: low,
  });
};
/** a * b. */
export const product = (a: Exact, b: Irrational): Irrational => ({
  magnitude: a.significand * b.magnitude,
  scale: a.scale + b.scale,
});

/** What an instruction gives: the register's fields, the exceptions, whether it rounded away from zero. */
export interface Expected {
  readonly sign: number;
  readonly exponent: number;
  readonly significand: bigint;
  readonly flags: number;
  readonly up: boolean;
}
const [OE, UE, PE] = [8, 16, 32] as const;
/** Rounded to 64 bits with RC and all exceptions masked. The number is irrational, or `whole`: then PE is raised all the same. */
export const rounded = (sign: number, { magnitude, scale }: Irrational, rc: number, whole = false): Expected => {
  const away = rc === (sign ? 1 : 2);
  const at = (quantum: number): { value: bigint; up: boolean; exact: boolean } => {
    const widened = magnitude << 80n;
    const shift = BigInt(quantum - scale + 80);
    const value = widened >> shift;
    const rest = widened - (value << shift);
    const exact = whole && rest === 0n;
    const half = 1n << (shift - 1n);
    const up = !exact && (away || (rc === 0 && (rest > half || (rest === half && (!whole || (value & 1n) === 1n)))));
    return { value: up ? value + 1n : value, up, exact };
  };
  const exponent = length(magnitude) - 1 + scale;
  const free = at(exponent - 63);
  const carried = length(free.value) > 64;
  const freeExponent = exponent + (carried ? 1 : 0);
  if (freeExponent > 16383) {
    const infinite = rc === 0 || away;
    const [e, m] = infinite ? [0x7fff, 1n << 63n] : [0x7ffe, (1n << 64n) - 1n];
    return { sign, exponent: e, significand: m, flags: OE | PE, up: infinite };
  }
  if (freeExponent < -16382) {
    const tiny = at(-16382 - 63);
    return {
      sign,
      exponent: tiny.value >> 63n ? 1 : 0,
      significand: tiny.value,
      flags: UE | PE,
      up: tiny.up,
    };
  }
  return {
    sign,
    exponent: freeExponent + 16383,
    significand: carried ? free.value >> 1n : free.value,
    flags: PE,
    up: free.up,
  };
};
