// The frame of GDB's packets: checksums, acknowledgements, escapes, the interrupt byte, in any cut of the bytes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PacketStream, textOf } from './packet.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const rig = (): { stream: PacketStream; sent: () => string; got: string[] } => {
  let sent = '';
  const got: string[] = [];
  const stream = new PacketStream((b) => (sent += textOf(b)), {
    packet: (data) => got.push(textOf(data)),
    interrupt: () => got.push('interrupt'),
  });
  return { stream, sent: () => sent, got };
};

describe('packets', () => {
  it('are acknowledged, or asked for again', () => {
    const { stream, sent, got } = rig();
    stream.receive(bytes('+$g#67'));
    stream.receive(bytes('$g#68'));
    assert.deepEqual(got, ['g']);
    assert.equal(sent(), '+-');
  });
  it('come in any pieces, with the interrupt between them', () => {
    const { stream, got } = rig();
    for (const byte of bytes('$qC#b4\x03$?#3f')) stream.receive(Uint8Array.of(byte));
    assert.deepEqual(got, ['qC', 'interrupt', '?']);
  });
  it('carry every byte', () => {
    const { stream, sent, got } = rig();
    stream.noAck = true;
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    stream.write(all);
    stream.receive(bytes(sent()));
    assert.deepEqual(got, [all]);
    // What means something in the stream is not in it.
    assert.equal(sent().slice(1, -3).match(/[$#]/), null);
  });
  it('are sent again when they did not arrive', () => {
    const { stream, sent } = rig();
    stream.write('OK');
    stream.receive(bytes('-'));
    assert.equal(sent(), '$OK#9a$OK#9a');
  });
});
