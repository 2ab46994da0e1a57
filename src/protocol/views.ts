// The shapes that cross from the machine's thread to the panels as they are: the session's own views and source locations.
// Types only, so nothing of the engine gets into a page. What the panels get beyond them is in machine.ts and timeline.ts.

export type {
  BootConfig,
  Counters,
  DomainView,
  ExitCount,
  RegistersView,
  SegmentView,
  Stop,
  StopKind,
  VcpuView,
  VmcsFieldView,
} from '../workers/session.ts';
export type { SourceLocation } from '../symbols/location.ts';
