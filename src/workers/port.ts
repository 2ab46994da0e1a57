// The worker's end of the line to its host: a worker thread of Node now, a Web Worker of a browser host with the same three methods.
// Not what is said over it (protocol/machine.ts).

export interface Port<In, Out> {
  post(message: Out, transfer?: readonly ArrayBuffer[]): void;
  listen(handler: (message: In) => void): void;
}

interface BrowserScope {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}

/** The port of the thread this runs in. */
export const threadPort = async <In, Out>(): Promise<Port<In, Out>> => {
  if (typeof process === 'object' && process.versions?.node !== undefined) {
    const { parentPort } = await import('node:worker_threads');
    if (parentPort === null) throw new Error('not a worker thread');
    return {
      post: (message, transfer = []) => parentPort.postMessage(message, [...transfer]),
      listen: (handler) => void parentPort.on('message', handler),
    };
  }
  const scope = globalThis as unknown as BrowserScope;
  return {
    post: (message, transfer = []) => scope.postMessage(message, [...transfer]),
    listen: (handler) => {
      scope.onmessage = (event) => handler(event.data as In);
    },
  };
};
