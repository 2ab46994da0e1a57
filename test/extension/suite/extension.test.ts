// The extension in a real extension host: commands, boot of the sample, console, pause and resume, questions, diagnostics, lenses,
// errors of the user's. What a person sees is test/e2e's.

import * as assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../../src/extension/extension.ts';
import type { Guest } from '../../../src/extension/guest.ts';

const until = async <T>(
  what: string,
  probe: () => T | undefined | false | PromiseLike<T | undefined | false>,
  ms = 20_000,
): Promise<T> => {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value as T;
    if (Date.now() > end) throw new Error(`it never came: ${what}`);
    await new Promise((ok) => setTimeout(ok, 50));
  }
};

describe('Kansoku', () => {
  const extension = () => vscode.extensions.getExtension<Api>('kansoku.kansoku')!;
  const sample = () => vscode.Uri.joinPath(extension().extensionUri, 'media', 'guests', 'tsubame', 'tsubame.elf');
  let guest: Guest;
  let serial = '';
  const type = (text: string): void => guest.type(new TextEncoder().encode(text));
  const boot = async (): Promise<void> => {
    serial = '';
    await vscode.commands.executeCommand('kansoku.bootGuest', sample());
    await until('the prompt', () => serial.includes('tsubame>'));
  };

  before(async () => {
    guest = (await extension().activate()).guest;
    guest.onMessage((message) => {
      if (message.type === 'serial') serial += new TextDecoder().decode(message.bytes);
    });
  });
  afterEach(async () => {
    await vscode.commands.executeCommand('kansoku.stop');
  });

  it('registers every command of its manifest', async () => {
    const there = new Set(await vscode.commands.getCommands(true));
    const { commands } = extension().packageJSON.contributes as { commands: { command: string }[] };
    assert.deepEqual(
      commands.map(({ command }) => command).filter((command) => !there.has(command)),
      [],
    );
  });

  it('boots the sample, and the guest answers what is typed', async () => {
    await boot();
    type('echo kansoku\r');
    await until('the answer', () => /\nkansoku\r?\n/.test(serial));
    assert.ok(vscode.window.terminals.some((terminal) => terminal.name === 'tsubame.elf'));
  });

  it('pauses, resumes and resets', async () => {
    await boot();
    await vscode.commands.executeCommand('kansoku.pause');
    const paused = await until('paused', () => guest.live?.status.state === 'paused' && guest.live.status);
    await new Promise((ok) => setTimeout(ok, 600));
    assert.equal(guest.live?.status.instructions, paused.instructions);
    await vscode.commands.executeCommand('kansoku.resume');
    await until('more instructions', () => (guest.live?.status.instructions ?? 0) > paused.instructions);
    serial = '';
    await vscode.commands.executeCommand('kansoku.reset');
    await until('the prompt again', () => serial.includes('tsubame>'));
  });

  it('records events that lead to source lines', async () => {
    await boot();
    const extent = await until(
      'events',
      () => (guest.live?.status.extent.records ?? 0) > 100 && guest.live!.status.extent,
    );
    const window = await guest.ask({ name: 'window', t0: extent.start, t1: extent.end + 1, pixels: 100 });
    assert.ok(window.lanes.length > 3);
    const pageFault = guest.live!.lanes.find((lane) => lane.name.startsWith('Page fault'))!;
    const row = await guest.ask({ name: 'find', lane: pageFault.code, from: -1, direction: 1 });
    assert.match(row?.location.file ?? '', /\.[cS]$/);
    const address = await guest.ask({ name: 'lookup', symbol: 'page_fault' });
    const place = await guest.ask({ name: 'locate', address: address! });
    assert.match(place.file ?? '', /fault\.c$/);
  });

  it('puts exit counts above functions', async () => {
    await boot();
    const file = vscode.Uri.joinPath(sample(), '..', 'serial.c');
    await vscode.window.showTextDocument(file);
    const lenses = await until('lenses', async () => {
      const found = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', file, 20);
      return found.length > 0 && found;
    });
    assert.match(lenses[0]!.command!.title, /VM exit/);
  });

  it('says where a triple fault happened, in Problems too', async () => {
    await boot();
    type('triple\r');
    const stop = await until('the stop', () => guest.live?.stop);
    assert.equal(stop.kind, 'triple-fault');
    const place = await guest.ask({ name: 'locate', address: stop.address! });
    assert.match(place.file ?? '', /machine\.c$/);
    assert.deepEqual(await until('its place', () => guest.live?.stopLocation), place);
    const [, [problem]] = (await until('the problem', () =>
      vscode.languages.getDiagnostics().find(([, list]) => list.some(({ source }) => source === 'Kansoku')),
    )) as unknown as [vscode.Uri, [vscode.Diagnostic]];
    assert.match(problem.message, /triple fault/i);
    assert.equal(problem.severity, vscode.DiagnosticSeverity.Error);
  });

  it('boots a gzipped image', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'kansoku-test-'));
    const packed = new Blob([new Uint8Array(await vscode.workspace.fs.readFile(sample()))])
      .stream()
      .pipeThrough(new CompressionStream('gzip'));
    const file = path.join(folder, 'kernel-without-a-name');
    await fs.writeFile(file, new Uint8Array(await new Response(packed).arrayBuffer()));
    serial = '';
    await vscode.commands.executeCommand('kansoku.bootGuest', vscode.Uri.file(file));
    await until('the prompt', () => serial.includes('tsubame>'));
    await fs.rm(folder, { recursive: true });
  });

  it('tells a kernel that needs it to use the serial line, unless the setting says otherwise', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'kansoku-test-'));
    // What it is told depends on its version string alone: the sample with that of another kernel behind it.
    const disguised = vscode.Uri.file(path.join(folder, 'kernel'));
    const elf = Buffer.from(await vscode.workspace.fs.readFile(sample()));
    await fs.writeFile(disguised.fsPath, Buffer.concat([elf, Buffer.from('GNU Mach 1.8\0')]));
    const told: string[] = [];
    const listening = guest.onDidBegin(({ cmdline }) => told.push(cmdline));
    const settings = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration('kansoku');
    try {
      await boot();
      for (const value of [undefined, 'quiet', '']) {
        await settings().update('commandLine', value, vscode.ConfigurationTarget.Global);
        await vscode.commands.executeCommand('kansoku.stop');
        await vscode.commands.executeCommand('kansoku.bootGuest', disguised);
      }
      assert.deepEqual(told, ['', 'console=com0', 'quiet', '']);
    } finally {
      await settings().update('commandLine', undefined, vscode.ConfigurationTarget.Global);
      listening.dispose();
      await fs.rm(folder, { recursive: true });
    }
  });

  it('refuses a file that is no kernel, and keeps working', async () => {
    await vscode.commands.executeCommand('kansoku.bootGuest', vscode.Uri.joinPath(sample(), '..', 'serial.c'));
    assert.equal(guest.state.phase, 'none');
    await boot();
  });
});
