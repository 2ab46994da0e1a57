// Where the guest's code comes from: loadedSources, modules, source.

import { type Dap, type Handler, Refusal } from '../protocol.ts';

export const loadedSources: Handler<'loadedSources'> = {
  capabilities: { supportsLoadedSourcesRequest: true },
  answer: (session) => ({ sources: session.guest.symbols.files().map((file) => session.source(file)) }),
};

export const modules: Handler<'modules'> = {
  capabilities: { supportsModulesRequest: true },
  answer: (session, { startModule = 0, moduleCount = 0 }) => {
    const { symbols, image } = session.guest;
    const status = session.tell(
      symbols.hasLines ? 'symbolsAndLines' : symbols.hasSymbols ? 'symbolsOnly' : 'noSymbols',
    );
    const slide = `0x${symbols.slide.toString(16)}`;
    const placed = symbols.slide === 0 ? status : session.tell('movedBy', { status, slide });
    const kernel: Dap.Module = {
      id: 1,
      name: image.slice(image.lastIndexOf('/') + 1),
      path: image,
      symbolStatus: [placed, ...symbols.problems].join('; '),
      ...(symbols.name === '' ? {} : { symbolFilePath: symbols.name }),
    };
    const all = [kernel, ...session.subjects.flatMap(({ loadedModules }) => loadedModules.list())];
    return {
      modules: all.slice(startModule, moduleCount === 0 ? undefined : startModule + moduleCount),
      totalModules: all.length,
    };
  },
};

/** Sources are files of the editor's; the guest has none of their text. */
export const source: Handler<'source'> = {
  answer: (_, { source: wanted }) => {
    throw new Refusal('sourceNotHere', { name: wanted?.path ?? wanted?.name ?? ['theSource'] });
  },
};
