// How a file describes a kernel of one's own: where its tasks are, each entry a C expression (docs/debugging.md). Only the file; what the
// expressions say of a running guest is described.ts.

export interface OsDescription {
  readonly name: string;
  readonly tasks: TaskExpressions;
}

/** In all but `first` and `current`, `$task` is the task at hand, of the type of `first`. */
export interface TaskExpressions {
  /** Pointer to the first task. */
  readonly first: string;
  /** Pointer to the next task; NULL, the first again, or `end` being true is the end. */
  readonly next: string;
  readonly end?: string;
  /** False: the entry is free, there is no task in it. */
  readonly exists?: string;
  readonly id: string;
  readonly name: string;
  readonly state?: string;
  /** Pointer to the task that the processor runs. */
  readonly current?: string;
  /** The stack pointer of a task that does not run. */
  readonly stackPointer?: string;
  /** What the switch of tasks left there, upwards: names of registers, `eip` for the return address, anything else for what is skipped. */
  readonly saved?: readonly string[];
  /** CR3 of a task with an address space of its own; 0: it has none. */
  readonly pageTable?: string;
}

const REQUIRED = ['first', 'next', 'id', 'name'] as const;
const OPTIONAL = ['end', 'exists', 'state', 'current', 'stackPointer', 'pageTable'] as const;

export type DescriptionResult =
  | { readonly ok: true; readonly description: OsDescription }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

/** @param file as the user knows it */
export const parseDescription = (file: string, text: string): DescriptionResult => {
  const failed = (reason: string): DescriptionResult => ({ ok: false, reason: `${file}: ${reason}` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failed(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(value)) return failed('an object {"name": ..., "tasks": {...}} is expected');
  const unknown = Object.keys(value).find((key) => key !== 'name' && key !== 'tasks');
  if (unknown !== undefined) return failed(`there is no entry "${unknown}": "name" and "tasks" are expected`);
  const { name = 'kernel', tasks } = value;
  if (typeof name !== 'string') return failed('"name" is no text');
  if (!isObject(tasks)) return failed('"tasks" is missing, or no object');
  for (const key of REQUIRED) if (tasks[key] === undefined) return failed(`"tasks.${key}" is missing`);
  for (const key of Object.keys(tasks)) {
    if (key === 'saved') {
      const { saved } = tasks;
      if (!Array.isArray(saved) || !saved.every((one) => typeof one === 'string') || !saved.includes('eip'))
        return failed('"tasks.saved" is no list of names of registers with "eip" among them');
    } else if (![...REQUIRED, ...OPTIONAL].includes(key as never))
      return failed(`there is no entry "tasks.${key}": known are ${[...REQUIRED, ...OPTIONAL, 'saved'].join(', ')}`);
    else if (typeof tasks[key] !== 'string' || tasks[key].trim() === '')
      return failed(`"tasks.${key}" is no C expression: a text is expected`);
  }
  if ((tasks['stackPointer'] === undefined) !== (tasks['saved'] === undefined))
    return failed('"tasks.stackPointer" and "tasks.saved" belong together: one of them is missing');
  return { ok: true, description: { name, tasks: tasks as unknown as TaskExpressions } };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
