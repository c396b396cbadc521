/*
 * Runs once in each sandbox, before any workflow. The SDK makes an `Error` for every promise of a workflow and maps its
 * stack through the source map, so that a query can list what a workflow waits for: 40 % of the CPU time of a replay. It
 * takes the sandbox's own `Error` and no message, as nothing else does. Such an error gets no stack here. Those that are
 * thrown keep theirs.
 */
const OriginalError = globalThis.Error;

/** Has the prototype of an error and no stack. */
const withoutStack: object = Object.freeze(
  Object.create(OriginalError.prototype, { message: { value: '' }, stack: { value: undefined } }),
);

globalThis.Error = new Proxy(OriginalError, {
  construct: (target, args, newTarget) =>
    args.length === 0 && newTarget === globalThis.Error ? withoutStack : Reflect.construct(target, args, newTarget),
});
