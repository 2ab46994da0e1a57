// node diff.js real.jsonl other.jsonl: compares two runs of vecgen with the same arguments, under the masks
const fs = require('fs');
const rd = (f) => fs.readFileSync(f, 'utf8').trim().split('\n').slice(1);
const [a, b] = process.argv.slice(2, 4).map(rd);
const show = +process.argv[4] || 0;
let ok = 0;
const bad = {};
for (let i = 0; i < a.length; i++) {
  const A = JSON.parse(a[i]);
  let B;
  try {
    B = JSON.parse(b[i]);
  } catch (e) {
    (bad['missing'] = bad['missing'] || []).push(A.name);
    continue;
  }
  if (A.name !== B.name || A.bytes !== B.bytes || JSON.stringify(A.in) !== JSON.stringify(B.in)) {
    (bad['input differs'] = bad['input differs'] || []).push(A.name);
    continue;
  }
  const d = [];
  const val = (c, k) => (c.out[k] !== undefined ? c.out[k] : c.in[k]);
  for (const k of ['eip', 'eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'])
    if (val(A, k) !== val(B, k)) d.push(k);
  const m = (A.mask === undefined ? 0xffffffff : A.mask) & ~0x10000;
  if ((val(A, 'eflags') ^ val(B, 'eflags')) & m)
    d.push('fl:' + (((val(A, 'eflags') ^ val(B, 'eflags')) & m) >>> 0).toString(16));
  if (JSON.stringify(A.out.mem) !== JSON.stringify(B.out.mem)) d.push('mem');
  if (!!A.fault !== !!B.fault) d.push('fault ' + (A.fault ? A.fault.vector : '-'));
  const fa = val(A, 'fpu'),
    fb = val(B, 'fpu');
  if (fa) {
    const sm = A.swMask === undefined ? 0xffff : A.swMask;
    if (fa.cw != fb.cw) d.push('cw');
    if ((fa.sw ^ fb.sw) & sm) d.push('sw:' + ((fa.sw ^ fb.sw) & sm).toString(16));
    if (fa.tw != fb.tw && !process.env.MANT) d.push('tw');
    const cut = (s) => (process.env.MANT ? s.map((x) => x.slice(0, 16)) : s);
    if (JSON.stringify(cut(fa.st)) != JSON.stringify(cut(fb.st))) d.push('st');
  }
  if (val(A, 'mxcsr') !== val(B, 'mxcsr')) d.push('mxcsr');
  if (JSON.stringify(val(A, 'xmm')) !== JSON.stringify(val(B, 'xmm'))) d.push('xmm');
  if (!d.length) ok++;
  else {
    const k = d.join(' ');
    (bad[k] = bad[k] || []).push(A.name);
    if (show && bad[k].length <= show)
      console.log(k, '\n real', a[i], '\n othr', JSON.stringify(B.out), JSON.stringify(B.fault));
  }
}
console.log('same', ok, 'of', a.length);
for (const k of Object.keys(bad).sort((x, y) => bad[y].length - bad[x].length)) {
  const u = {};
  bad[k].forEach((n) => (u[n] = (u[n] || 0) + 1));
  console.log(
    ' ',
    k,
    bad[k].length,
    Object.entries(u)
      .slice(0, 12)
      .map((e) => e[0] + ' x' + e[1])
      .join('; '),
  );
}
