// Where the guest's code comes from: loadedSources, modules, source.

import { type Handler, Refusal } from '../protocol.ts';

export const loadedSources: Handler<'loadedSources'> = {
  capabilities: { supportsLoadedSourcesRequest: true },
  answer: (session) => ({ sources: session.machine.symbols.files().map((file) => session.source(file)) }),
};

export const modules: Handler<'modules'> = {
  capabilities: { supportsModulesRequest: true },
  answer: (session) => {
    const { symbols, image } = session.machine;
    const status = symbols.hasLines
      ? 'symbols and line table loaded'
      : symbols.hasSymbols
        ? 'symbols loaded, no line table'
        : 'no symbols';
    const problems = symbols.problems.length === 0 ? '' : `; ${symbols.problems.join('; ')}`;
    return {
      modules: [
        {
          id: 1,
          name: image.slice(image.lastIndexOf('/') + 1),
          path: image,
          symbolStatus: status + problems,
          ...(symbols.name === '' ? {} : { symbolFilePath: symbols.name }),
        },
      ],
      totalModules: 1,
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
