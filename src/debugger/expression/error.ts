// Why an expression has no value, in words for the user. Thrown within debugger/expression only; `evaluate` turns it into an answer.

export class ExpressionError extends Error {}
