// `kansoku gdb`: a guest that waits for GDB on a TCP port. The connection, the console and the pace are here; the protocol is
// debugger/gdb/stub.ts's, which knows bytes only.

import { createServer, type Server, type Socket } from 'node:net';
import { GdbStub } from '../debugger/gdb/stub.ts';
import type { MonitorCommand } from '../debugger/gdb/monitor.ts';
import { createSession } from '../workers/engine-session.ts';
import { type Session, UserError } from '../workers/session.ts';
import { Status } from './boot.ts';
import { readDomains } from './domain-file.ts';
import { attachTerminal, guestConfig, inputOf, serialTo } from './guest-options.ts';
import { GDB_OPTIONS, helpText, one, parseArguments, parseCount } from './options.ts';
import { writeAll } from './write-all.ts';

const DEFAULT_PORT = '1234';
const HOST = '127.0.0.1';
const DEFAULT_RECORD = '512';
const MIB = 1 << 20;
/** How long an idle guest rests between two looks, in milliseconds. */
const REST_MS = 5;

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** What `monitor` tells that the session knows. */
const commandsOf = (session: () => Session): MonitorCommand[] => [
  {
    name: 'exits',
    usage: '',
    help: 'VM exits of the machine so far, by reason',
    run: () => {
      const { exits, instructions } = session().counters();
      const lines = exits.map((e) => `${String(e.count).padStart(10)}  ${e.name} (${e.reason})`);
      return [`${instructions} instructions`, ...(lines.length === 0 ? ['no VM exit'] : lines)].join('\n');
    },
  },
  {
    name: 'vmcs',
    usage: '[PART OF A NAME]',
    help: 'fields of the VMCS',
    ofGuest: true,
    run: (words, { domain }) => {
      const fields = session().vmcs(domain);
      if (fields.length === 0) return 'there is no VMCS: the bare machine has no hypervisor';
      const wanted = words.join(' ').toLowerCase();
      return fields
        .filter((f) => f.name.toLowerCase().includes(wanted))
        .map((f) => {
          const value = f.width === 64 ? hex(f.high) + hex(f.low).slice(2) : hex(f.low, f.width / 4);
          return `${f.name.padEnd(44)} ${value}${f.decoded === '' ? '' : `  ${f.decoded}`}`;
        })
        .join('\n');
    },
  },
  { name: 'hash', usage: '', help: 'the hash of all that the guests can see', run: () => session().stateHash() },
  {
    name: 'screen',
    usage: '',
    help: 'the text on the VGA screen',
    ofGuest: true,
    run: (_args, { domain }) => session().vgaText(domain),
  },
];

/** One connection of GDB's to one machine. Resolves when GDB has killed it or gone away. */
const serve = (socket: Socket, machine: Machine): Promise<'killed' | 'gone'> =>
  new Promise((resolve) => {
    let scheduled = false;
    const stub = new GdbStub(
      machine.session.debug,
      {
        restart: () => machine.restart(),
        nameOf: (index) => machine.session.domains()[index]!.name,
        endOf: (index) => machine.session.guests[index]!.stop,
        commands: commandsOf(() => machine.session),
      },
      (bytes) => void socket.write(bytes),
    );
    const pump = (): void => {
      scheduled = false;
      stub.slice();
      machine.takeOutput();
      schedule();
    };
    const schedule = (): void => {
      if (stub.state === 'killed') {
        socket.end();
        resolve('killed');
      } else if (stub.state === 'detached') {
        socket.end();
        resolve('gone');
      } else if (!scheduled && stub.state !== 'stopped') {
        scheduled = true;
        // Lets what GDB sends in; a guest that waits lets the host rest.
        if (stub.state === 'waiting') setTimeout(pump, REST_MS);
        else setImmediate(pump);
      }
    };
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      stub.receive(new Uint8Array(data));
      schedule();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(stub.state === 'killed' ? 'killed' : 'gone'));
  });

/** The session that GDB talks to: it may be replaced by a new one. */
interface Machine {
  readonly session: Session;
  restart(): Session['debug'];
  takeOutput(): void;
}

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'it is in use' : error.code === 'EACCES' ? 'permission denied' : error.message;
      reject(new UserError(`--port ${port}: cannot listen: ${reason}; --port 0 takes a free one`));
    });
    server.listen(port, HOST, () => resolve((server.address() as { port: number }).port));
  });

/** Returns the process's exit status. Throws UserError for the user's mistakes. */
export const gdb = async (argv: readonly string[]): Promise<number> => {
  if (argv.includes('--help')) {
    console.log(
      `kansoku gdb IMAGE [options]\n\nIMAGE: as for kansoku boot. Then, in gdb: target remote :PORT (with --domain: target extended-remote :PORT)\n\n${helpText(GDB_OPTIONS)}`,
    );
    return Status.ok;
  }
  const args = parseArguments(argv, GDB_OPTIONS, 'gdb');
  const text = one(args, 'port') ?? DEFAULT_PORT;
  const wanted = Number(text);
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65535 || text === '')
    throw new UserError(`--port: "${text}" is no TCP port: give 0 to 65535`);
  const memory = one(args, 'record') ?? DEFAULT_RECORD;
  const record = memory === '0' ? 0 : parseCount(memory, '--record');
  const first = guestConfig(args, 'kansoku gdb');
  const where = one(args, 'serial') ?? 'stdio';
  const further = readDomains(args.options.get('domain') ?? [], first, where === 'stdio');
  const config = {
    ...first,
    ...(further.length === 0 ? {} : { domains: further.map((domain) => domain.config) }),
    ...(record === 0 ? {} : { record: { limit: record * MIB } }),
  };
  const input = inputOf(args);
  const serial = serialTo(where);
  const quiet = where === 'null';
  const start = (): Session => {
    const begun = createSession(config);
    if (input !== undefined) begun.typeSerial(input);
    for (const { config: its, input: typed } of further) if (typed !== undefined) begun.typeSerial(typed, its.id);
    return begun;
  };
  let session = start();
  const machine: Machine = {
    get session() {
      return session;
    },
    restart: () => {
      session = start();
      return session.debug;
    },
    takeOutput: () => {
      serial.write(session.takeSerial());
      for (const { config: its, serial: sink } of further) sink.write(session.takeSerial(its.id));
      const log = session.takeDebugConsole();
      if (!quiet) writeAll(2, log);
    },
  };

  const server = createServer();
  const port = await listen(server, wanted);
  console.error(`waiting for gdb: target ${further.length === 0 ? 'remote' : 'extended-remote'} :${port}`);
  const release = input === undefined ? attachTerminal(() => session) : () => undefined;
  try {
    // One after the other: a machine has one debugger.
    for (;;) {
      const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve));
      if ((await serve(socket, machine)) === 'killed') return Status.ok;
    }
  } finally {
    release();
    server.close();
    serial.close();
    for (const { serial: sink } of further) sink.close();
  }
};
