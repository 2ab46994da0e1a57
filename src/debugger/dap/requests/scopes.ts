// The scopes of a frame. Registers are the processor's: they belong to the frame the guest stands in.

import { REGISTER_SCOPES, registerContainer } from '../register-scopes.ts';
import { type Dap, type Handler, Refusal } from '../protocol.ts';

export const scopes: Handler<'scopes'> = {
  answer: (session, { frameId }) => {
    const frame = session.frameHandles.get(frameId);
    if (frame === undefined) throw new Refusal('The guest has moved on since this frame was shown.');
    const found: Dap.Scope[] = [];
    for (const { name, groups, expensive } of REGISTER_SCOPES) {
      found.push({
        name,
        expensive,
        variablesReference: session.containers.add(registerContainer(session, groups)),
        ...(name === 'Registers' ? { presentationHint: 'registers' } : {}),
      });
    }
    return { scopes: found };
  },
};
