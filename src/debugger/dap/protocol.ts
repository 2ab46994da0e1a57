// The requests that the adapter answers, each with its arguments and its answer as @vscode/debugprotocol has them, and what a
// handler is. Types only, and the one error class. Which handlers there are is in handlers.ts, who calls them is adapter.ts.

import type { DebugProtocol as Dap } from '@vscode/debugprotocol';
import { Refusal } from '../saying.ts';
import type { DebugSession } from './session.ts';

export { Refusal } from '../saying.ts';
export type { DebugProtocol as Dap } from '@vscode/debugprotocol';

interface Of<Request extends { arguments?: unknown }, Response extends Dap.Response> {
  readonly arguments: Request['arguments'];
  readonly body: Response['body'];
}

export interface Requests {
  readonly initialize: Of<Dap.InitializeRequest, Dap.InitializeResponse>;
  readonly launch: Of<Dap.LaunchRequest, Dap.LaunchResponse>;
  readonly attach: Of<Dap.AttachRequest, Dap.AttachResponse>;
  readonly configurationDone: Of<Dap.ConfigurationDoneRequest, Dap.ConfigurationDoneResponse>;
  readonly disconnect: Of<Dap.DisconnectRequest, Dap.DisconnectResponse>;
  readonly terminate: Of<Dap.TerminateRequest, Dap.TerminateResponse>;
  readonly restart: Of<Dap.RestartRequest, Dap.RestartResponse>;
  readonly setBreakpoints: Of<Dap.SetBreakpointsRequest, Dap.SetBreakpointsResponse>;
  readonly setFunctionBreakpoints: Of<Dap.SetFunctionBreakpointsRequest, Dap.SetFunctionBreakpointsResponse>;
  readonly setInstructionBreakpoints: Of<Dap.SetInstructionBreakpointsRequest, Dap.SetInstructionBreakpointsResponse>;
  readonly dataBreakpointInfo: Of<Dap.DataBreakpointInfoRequest, Dap.DataBreakpointInfoResponse>;
  readonly setDataBreakpoints: Of<Dap.SetDataBreakpointsRequest, Dap.SetDataBreakpointsResponse>;
  readonly setExceptionBreakpoints: Of<Dap.SetExceptionBreakpointsRequest, Dap.SetExceptionBreakpointsResponse>;
  readonly exceptionInfo: Of<Dap.ExceptionInfoRequest, Dap.ExceptionInfoResponse>;
  readonly breakpointLocations: Of<Dap.BreakpointLocationsRequest, Dap.BreakpointLocationsResponse>;
  readonly threads: Of<Dap.ThreadsRequest, Dap.ThreadsResponse>;
  readonly stackTrace: Of<Dap.StackTraceRequest, Dap.StackTraceResponse>;
  readonly scopes: Of<Dap.ScopesRequest, Dap.ScopesResponse>;
  readonly variables: Of<Dap.VariablesRequest, Dap.VariablesResponse>;
  readonly setVariable: Of<Dap.SetVariableRequest, Dap.SetVariableResponse>;
  readonly setExpression: Of<Dap.SetExpressionRequest, Dap.SetExpressionResponse>;
  readonly evaluate: Of<Dap.EvaluateRequest, Dap.EvaluateResponse>;
  readonly completions: Of<Dap.CompletionsRequest, Dap.CompletionsResponse>;
  readonly continue: Of<Dap.ContinueRequest, Dap.ContinueResponse>;
  readonly next: Of<Dap.NextRequest, Dap.NextResponse>;
  readonly stepIn: Of<Dap.StepInRequest, Dap.StepInResponse>;
  readonly stepInTargets: Of<Dap.StepInTargetsRequest, Dap.StepInTargetsResponse>;
  readonly stepOut: Of<Dap.StepOutRequest, Dap.StepOutResponse>;
  readonly stepBack: Of<Dap.StepBackRequest, Dap.StepBackResponse>;
  readonly reverseContinue: Of<Dap.ReverseContinueRequest, Dap.ReverseContinueResponse>;
  /** Ours: values of C expressions at this moment, also while the guest runs; each has a text or says why there is none. */
  readonly 'kansoku/sample': {
    readonly arguments: { readonly expressions: readonly string[] };
    readonly body: {
      readonly values: readonly ({ readonly result: string } | { readonly problem: string })[];
      readonly running: boolean;
      /** Retired so far. */
      readonly instructions: number;
    };
  };
  /** Ours: goes back to behind the instruction that wrote this last. A variable of a container, or an expression in a frame. */
  readonly 'kansoku/lastWrite': {
    readonly arguments: { readonly name: string; readonly variablesReference?: number; readonly frameId?: number };
    readonly body: undefined;
  };
  /** Ours: goes back to before the last execution of a line. */
  readonly 'kansoku/lastExecution': {
    readonly arguments: { readonly source: Dap.Source; readonly line: number };
    readonly body: undefined;
  };
  /** Ours: goes to the moment of a recorded event, by its number in the stream. */
  readonly 'kansoku/travel': { readonly arguments: { readonly sequence: number }; readonly body: undefined };
  readonly pause: Of<Dap.PauseRequest, Dap.PauseResponse>;
  readonly gotoTargets: Of<Dap.GotoTargetsRequest, Dap.GotoTargetsResponse>;
  readonly goto: Of<Dap.GotoRequest, Dap.GotoResponse>;
  readonly restartFrame: Of<Dap.RestartFrameRequest, Dap.RestartFrameResponse>;
  readonly readMemory: Of<Dap.ReadMemoryRequest, Dap.ReadMemoryResponse>;
  readonly writeMemory: Of<Dap.WriteMemoryRequest, Dap.WriteMemoryResponse>;
  readonly disassemble: Of<Dap.DisassembleRequest, Dap.DisassembleResponse>;
  readonly loadedSources: Of<Dap.LoadedSourcesRequest, Dap.LoadedSourcesResponse>;
  readonly modules: Of<Dap.ModulesRequest, Dap.ModulesResponse>;
  readonly source: Of<Dap.SourceRequest, Dap.SourceResponse>;
  readonly cancel: Of<Dap.CancelRequest, Dap.CancelResponse>;
}
export type Command = keyof Requests;

/** Events by name, as the adapter sends them. */
export interface Events {
  readonly initialized: undefined;
  readonly stopped: Dap.StoppedEvent['body'];
  readonly continued: Dap.ContinuedEvent['body'];
  readonly breakpoint: Dap.BreakpointEvent['body'];
  readonly module: Dap.ModuleEvent['body'];
  readonly memory: Dap.MemoryEvent['body'];
  readonly invalidated: Dap.InvalidatedEvent['body'];
  readonly capabilities: Dap.CapabilitiesEvent['body'];
  readonly progressStart: Dap.ProgressStartEvent['body'];
  readonly progressUpdate: Dap.ProgressUpdateEvent['body'];
  readonly progressEnd: Dap.ProgressEndEvent['body'];
  readonly output: Dap.OutputEvent['body'];
  readonly terminated: Dap.TerminatedEvent['body'];
  readonly exited: Dap.ExitedEvent['body'];
}

/** One request: what it brings, and how it is answered. A capability is told only by the file that keeps it. */
export interface Handler<C extends Command> {
  readonly capabilities?: Dap.Capabilities;
  readonly answer: (session: DebugSession, request: NonNullable<Requests[C]['arguments']>) => Requests[C]['body'];
}

/** A question about a moment that is over: nobody waits for the answer, and nobody is to be told. */
export class Late extends Refusal {}
