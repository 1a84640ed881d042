/** Makes this process read a wrong clock, everywhere: `Date.now()` and `new Date()`. */
export function shiftClock(): void {
  const shift = Number(process.env.SOTTO_CLOCK_SHIFT)
  if (!Number.isFinite(shift)) throw new RangeError('SOTTO_CLOCK_SHIFT is no number')
  const Right = Date
  globalThis.Date = new Proxy(Right, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [Right.now() + shift] : args, newTarget),
    get: (target, name, receiver) => (name === 'now' ? () => Right.now() + shift : Reflect.get(target, name, receiver)),
  })
}
