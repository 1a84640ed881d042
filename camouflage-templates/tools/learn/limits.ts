/** What a recording may ask of `learn`. A HAR comes out of a browser that has visited a site: both may be hostile. */
const limits = {
  /** Octets of the file. Attack: memory; a long visit with pictures has 10 to 50 MB. */
  fileBytes: 134_217_728,
  /** Exchanges. Attack: time; a long visit has some thousands. */
  entries: 50_000,
  /** Headers of one message. */
  headers: 200,
  /** Exchanges of one route that are looked at, in the order of time: more tell nothing new. */
  samples: 400,
  /** Routes. Attack: time; those with the most exchanges are looked at. */
  routes: 200,
  /** Characters of a body that is looked into; longer ones count by their length only. */
  bodyLength: 4_194_304,
  /** Members and items of one JSON body. Attack: time. */
  fields: 512,
  /** Depth of one JSON body. Attack: the stack. */
  depth: 24,
} as const

export const LearnLimits: typeof limits = Object.freeze(limits)

/** Exchanges of a route from which on something is learned of it: fewer say nothing about what varies. */
export const SAMPLES_LEAST = 4
