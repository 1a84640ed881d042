/** Parcel lengths of one direction. A parcel is always filled up to one of them, so its length says no more than that. */
export interface SizeClasses {
  readonly max: number
  /** Ascending, octets. */
  readonly classes: readonly number[]
  /** Smallest class that holds `bytes`, otherwise `max`. */
  fit(bytes: number): number
  /** Largest class of up to `bytes`, otherwise the smallest. */
  within(bytes: number): number
}

/** `classes` ascending and not empty. */
export function createSizeClasses(classes: readonly number[]): SizeClasses {
  const max = classes.at(-1)!
  return Object.freeze({
    max,
    classes: Object.freeze([...classes]),
    fit: (bytes: number) => classes.find((length) => length >= bytes) ?? max,
    within: (bytes: number) => classes.findLast((length) => length <= bytes) ?? classes[0]!,
  })
}
