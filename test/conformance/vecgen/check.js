// node check.js file.jsonl[.gz]: checks the form of the vectors and a few things that hold for every case; no CPU model except for add/sub/logic/shift
const fs = require('fs'),
  zlib = require('zlib');
let bad = 0,
  n = 0,
  modelled = 0;
const f = process.argv[2];
let t = fs.readFileSync(f);
if (f.endsWith('.gz')) t = zlib.gunzipSync(t);
const lines = t.toString().trim().split('\n'),
  h = JSON.parse(lines[0]);
if (h.format !== 'ia32-vectors') throw 'format';
const areas = [h.code, h.data, h.stack],
  inside = (a, l) => areas.some(([s, z]) => a >= s && a + l <= s + z);
const fail = (c, m) => {
  if (bad++ < 20) console.log(m, JSON.stringify(c).slice(0, 400));
};
const CF = 1,
  PF = 4,
  AF = 16,
  ZF = 64,
  SF = 128,
  OF = 2048,
  R = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
function model(c) {
  // register forms only: op r/m,r for 8/16/32 bits and shl/shr/sar/rol/ror by imm8
  const b = Buffer.from(c.bytes, 'hex');
  let i = 0,
    w = 32;
  if (b[0] === 0x66) {
    w = 16;
    i = 1;
  }
  const op = b[i],
    m = b[i + 1];
  if (m === undefined || m < 0xc0 || c.fault) return;
  let d,
    s,
    r = m & 7,
    g = (m >> 3) & 7;
  const get = (x, w) =>
    w === 8 ? (c.in[R[x & 3]] >>> (x & 4 ? 8 : 0)) & 255 : w === 16 ? c.in[R[x]] & 65535 : c.in[R[x]];
  let kind;
  const N = BigInt;
  if (op < 0x40 && (op & 7) < 4) {
    if (!(op & 1)) w = 8;
    kind = op >> 3;
    if (op & 2) [r, g] = [g, r];
    d = get(r, w);
    s = get(g, w);
  } else if (op === 0xc0 || op === 0xc1) {
    if (op === 0xc0) w = 8;
    kind = 'rot' + g;
    d = get(r, w);
    s = b[i + 2] & 31;
    if (g === 2 || g === 3) return;
  } else return;
  const M = (1n << N(w)) - 1n,
    top = 1n << N(w - 1);
  let x = N(d),
    y = N(s),
    cin = N(c.in.eflags & 1),
    v,
    fl = c.in.eflags;
  const set = (bit, on) => {
    fl = on ? fl | bit : fl & ~bit;
  };
  const szp = () => {
    set(ZF, v === 0n);
    set(SF, (v & top) !== 0n);
    let p = Number(v & 255n),
      k = 0;
    while (p) {
      k ^= p & 1;
      p >>= 1;
    }
    set(PF, !k);
  };
  if (typeof kind === 'number') {
    if (kind === 1 || kind === 4 || kind === 6) {
      v = kind === 1 ? x | y : kind === 4 ? x & y : x ^ y;
      set(CF, 0);
      set(OF, 0);
      szp();
    } else {
      const sub = kind === 3 || kind === 5 || kind === 7,
        k = kind === 2 || kind === 3 ? cin : 0n,
        u = sub ? x - y - k : x + y + k;
      v = u & M;
      set(CF, u < 0n || u > M);
      set(AF, ((x ^ y ^ v) & 16n) !== 0n);
      set(OF, sub ? ((x ^ y) & (x ^ v) & top) !== 0n : ((x ^ v) & (y ^ v) & top) !== 0n);
      szp();
      if (kind === 7) v = x;
    }
  } else {
    const k = kind[3];
    if (s === 0) v = x;
    else if (k === '0' || k === '1') {
      const q = N(s % w),
        W = N(w);
      v = k === '0' ? ((x << q) | (x >> (W - q))) & M : ((x >> q) | (x << (W - q))) & M;
      set(CF, k === '0' ? (v & 1n) !== 0n : (v & top) !== 0n);
      set(OF, k === '0' ? ((v & top) !== 0n) !== ((v & 1n) !== 0n) : ((v & top) !== 0n) !== ((v & (top >> 1n)) !== 0n));
    } else if (k === '4' || k === '6') {
      const u = x << y;
      v = u & M;
      set(CF, ((u >> N(w)) & 1n) !== 0n);
      set(OF, ((v & top) !== 0n) !== ((fl & 1) !== 0));
      szp();
    } else {
      const sx = k === '7' && x & top ? x - (M + 1n) : x;
      v = (sx >> y) & M;
      set(CF, ((sx >> (y - 1n)) & 1n) !== 0n);
      set(OF, k === '5' && (x & top) !== 0n);
      szp();
    }
  }
  modelled++;
  const mask = c.mask === undefined ? 0xffffffff : c.mask,
    of = c.out.eflags === undefined ? c.in.eflags : c.out.eflags;
  if ((of ^ fl) & mask) fail(c, 'flags ' + fl + ' expected by the model');
  const full =
      c.out[R[w === 8 ? r & 3 : r]] === undefined ? c.in[R[w === 8 ? r & 3 : r]] : c.out[R[w === 8 ? r & 3 : r]],
    got = w === 8 ? (full >>> (r & 4 ? 8 : 0)) & 255 : w === 16 ? full & 65535 : full;
  if (N(got) !== v) fail(c, 'result ' + v + ' expected by the model');
}
const regs = 'eax ecx edx ebx esp ebp esi edi eflags'.split(' '),
  names = {};
for (const l of lines.slice(1)) {
  const c = JSON.parse(l);
  n++;
  names[c.name] = 1;
  if (!/^([0-9a-f]{2})+$/.test(c.bytes)) fail(c, 'bytes');
  for (const k of regs) if (!Number.isInteger(c.in[k])) fail(c, 'in.' + k);
  if (!Number.isInteger(c.out.eip)) fail(c, 'eip');
  for (const s of [c.in, c.out]) {
    for (const [a, x] of s.mem || []) if (!inside(a, x.length / 2)) fail(c, 'memory outside the areas');
    if (s.fpu && (s.fpu.st.length !== 8 || s.fpu.st.some((x) => x.length !== 20))) fail(c, 'st');
    if (s.xmm && (s.xmm.length !== 8 || s.xmm.some((x) => x.length !== 32))) fail(c, 'xmm');
  }
  if (c.out.eflags !== undefined && c.out.eflags & 0x10100) fail(c, 'TF or RF');
  if (c.fault && !/^rep/.test(c.name)) {
    const ch = Object.keys(c.out).filter((k) => k !== 'eip' && k !== 'mxcsr');
    if (ch.length) fail(c, 'changed at a fault: ' + ch);
    if (c.out.eip !== h.code[0] && c.fault.vector !== 3 && c.fault.vector !== 4) fail(c, 'eip at a fault');
  }
  if (c.fault && c.fault.vector === 14 && !Number.isInteger(c.fault.address)) fail(c, 'address');
  if (c.fault && c.fault.vector === 14 && inside(c.fault.address, 1)) fail(c, '#PF inside an area');
  model(c);
}
console.log(
  n +
    ' vectors, ' +
    Object.keys(names).length +
    ' names, ' +
    modelled +
    ' compared with the small model, ' +
    bad +
    ' bad',
);
process.exit(bad ? 1 : 0);
