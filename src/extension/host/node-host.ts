// The Node extension host: worker threads and the file system. The only file of the extension that imports Node modules.

import { open } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import * as vscode from 'vscode';
import { PortMessageReader, PortMessageWriter } from 'vscode-languageclient/node';
import type { FromMachine } from '../../protocol/machine.ts';
import { followBranchHints } from '../../workers/branch-hints.ts';
import { MOST_YOUNG } from '../../workers/young-generation.ts';
import type { Host } from './host.ts';

export const nodeHost = (dist: vscode.Uri): Host => {
  const script = (name: string): string => vscode.Uri.joinPath(dist, name).fsPath;
  return {
    startMachine(listener) {
      followBranchHints(process.versions, setFlagsFromString);
      const worker = new Worker(script('machine-worker.js'), {
        name: 'kansoku-machine',
        resourceLimits: { maxYoungGenerationSizeMb: MOST_YOUNG },
      });
      let ended = false;
      worker.on('message', (message: FromMachine) => {
        if (!ended) listener.message(message);
      });
      worker.on('error', (error) => {
        if (!ended) listener.died(error.stack ?? error.message);
        ended = true;
      });
      worker.on('exit', (code) => {
        if (!ended) listener.died(`exit code ${code}`);
        ended = true;
      });
      return {
        send: (message) => worker.postMessage(message),
        end: () => {
          ended = true;
          void worker.terminate();
        },
      };
    },

    startLanguageServer() {
      const worker = new Worker(script('language-server.js'), { name: 'kansoku-language-server' });
      const reader = new PortMessageReader(worker);
      const writer = new PortMessageWriter(worker);
      reader.onClose(() => void worker.terminate());
      return { reader, writer };
    },

    async readHead(uri, bytes) {
      if (uri.scheme !== 'file') return new Uint8Array(await vscode.workspace.fs.readFile(uri)).slice(0, bytes);
      const file = await open(uri.fsPath, 'r');
      try {
        const buffer = new Uint8Array(bytes);
        const { bytesRead } = await file.read(buffer, 0, bytes, 0);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
};
