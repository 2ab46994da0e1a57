// Where the guest's code comes from: loadedSources, modules, source.

import { type Dap, type Handler, Refusal } from '../protocol.ts';

export const loadedSources: Handler<'loadedSources'> = {
  capabilities: { supportsLoadedSourcesRequest: true },
  answer: (session) => ({ sources: session.machine.symbols.files().map((file) => session.source(file)) }),
};

export const modules: Handler<'modules'> = {
  capabilities: { supportsModulesRequest: true },
  answer: (session, { startModule = 0, moduleCount = 0 }) => {
    const { symbols, image } = session.machine;
    const status = symbols.hasLines
      ? 'symbols and line table loaded'
      : symbols.hasSymbols
        ? 'symbols loaded, no line table'
        : 'no symbols';
    const problems = symbols.problems.length === 0 ? '' : `; ${symbols.problems.join('; ')}`;
    const slide = symbols.slide === 0 ? '' : `; moved by 0x${symbols.slide.toString(16)}`;
    const kernel: Dap.Module = {
      id: 1,
      name: image.slice(image.lastIndexOf('/') + 1),
      path: image,
      symbolStatus: status + slide + problems,
      ...(symbols.name === '' ? {} : { symbolFilePath: symbols.name }),
    };
    const all = [kernel, ...session.loadedModules.list()];
    return {
      modules: all.slice(startModule, moduleCount === 0 ? undefined : startModule + moduleCount),
      totalModules: all.length,
    };
  },
};

/** Sources are files of the editor's; the guest has none of their text. */
export const source: Handler<'source'> = {
  answer: (_, { source: wanted }) => {
    throw new Refusal(
      `${wanted?.path ?? wanted?.name ?? 'The source'} is not on this machine: open the folder that has it.`,
    );
  },
};
