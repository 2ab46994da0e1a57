// The first value of fields whose numbers outgrow 32 signed bits: times, counts, addresses in the upper half. V8 gives an object another shape when
// the first such number is stored in a field that held none, and drops all compiled code that knew the old shape: at the 2^31st instruction, or at
// a kernel's first, the engine's hot code would go and be compiled again. Not for fields that may stay Int32.

/** 0, as a number for which V8 keeps any number in a field from the start. It is -0: where somebody could see that, a constructor puts 0 there. */
export const WIDE_ZERO = -0;
