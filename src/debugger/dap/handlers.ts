// The requests that are answered, each with the file that answers it. The capabilities told to the editor are the sum of theirs, so that
// none is told that is not kept.

import type { Command, Dap, Handler } from './protocol.ts';
import { dataBreakpointInfo, setDataBreakpoints } from './requests/data-breakpoints.ts';
import { disassemble } from './requests/disassemble.ts';
import { completions } from './requests/completions.ts';
import { evaluate, setExpression } from './requests/evaluate.ts';
import { exceptionInfo, setExceptionBreakpoints } from './requests/exception-breakpoints.ts';
import { setFunctionBreakpoints } from './requests/function-breakpoints.ts';
import { setInstructionBreakpoints } from './requests/instruction-breakpoints.ts';
import { goto, gotoTargets } from './requests/goto.ts';
import { attach, configurationDone, disconnect, initialize, launch, restart, terminate } from './requests/lifecycle.ts';
import { lastExecutionRequest, lastWriteRequest } from './requests/past.ts';
import { readMemory, writeMemory } from './requests/memory.ts';
import { reverseContinue, stepBack } from './requests/reverse.ts';
import { restartFrame } from './requests/restart-frame.ts';
import { cancel, continueRun, pause } from './requests/run.ts';
import { sample } from './requests/sample.ts';
import { scopes } from './requests/scopes.ts';
import { breakpointLocations, setBreakpoints } from './requests/source-breakpoints.ts';
import { loadedSources, modules, source } from './requests/sources.ts';
import { stackTrace } from './requests/stack-trace.ts';
import { next, stepIn, stepInTargets, stepOut } from './requests/step.ts';
import { threads } from './requests/threads.ts';
import { travel } from './requests/travel.ts';
import { setVariable, variables } from './requests/variables.ts';

export const HANDLERS: { readonly [C in Command]?: Handler<C> } = {
  initialize,
  launch,
  attach,
  configurationDone,
  disconnect,
  terminate,
  restart,
  setBreakpoints,
  setFunctionBreakpoints,
  setInstructionBreakpoints,
  dataBreakpointInfo,
  setDataBreakpoints,
  setExceptionBreakpoints,
  exceptionInfo,
  breakpointLocations,
  threads,
  stackTrace,
  scopes,
  variables,
  setVariable,
  evaluate,
  setExpression,
  completions,
  continue: continueRun,
  next,
  stepIn,
  stepInTargets,
  stepOut,
  stepBack,
  reverseContinue,
  restartFrame,
  'kansoku/sample': sample,
  'kansoku/lastWrite': lastWriteRequest,
  'kansoku/lastExecution': lastExecutionRequest,
  'kansoku/travel': travel,
  gotoTargets,
  goto,
  pause,
  readMemory,
  writeMemory,
  disassemble,
  loadedSources,
  modules,
  source,
  cancel,
};

export const CAPABILITIES: Dap.Capabilities = Object.assign(
  {},
  ...Object.values(HANDLERS).map(({ capabilities }) => capabilities ?? {}),
);
