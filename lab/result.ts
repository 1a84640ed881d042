/** What a tool of the laboratory gives back to `scripts/lab.ts`. */
export interface LabResult {
  /** The JSON line. */
  readonly result: unknown
  /** False: something is not as it has to be, and the exit status says so. */
  readonly ok: boolean
}
