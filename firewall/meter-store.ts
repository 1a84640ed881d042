/** What the flow meter keeps, sealed beside the vault, so that ending the program does not make it forget. */
import { join } from 'node:path'
import * as v from 'valibot'
import type { Random } from '#protocol/bytes.ts'
import { readPrivate, replacePrivate, unreadable } from './folder.ts'
import type { MeterState } from './meter.ts'
import type { Amounts } from './meter-flow.ts'
import { MEASURES, MeterLimits } from './meter-limits.ts'
import { ENDPOINT_KINDS } from './permit.ts'
import type { SealedKind } from './sealed.ts'
import { openMessages, sealMessages } from './sealed.ts'

const KIND: SealedKind = { label: 'sotto/1/meter', version: 1 }
/** Octets; about 128 flows of 1.5 kB. */
const FILE_LIMIT = 262_144

const amount = v.pipe(v.number(), v.finite(), v.minValue(0))
const amounts: v.GenericSchema<unknown, Amounts> = v.partial(
  v.strictObject(Object.fromEntries(MEASURES.map((measure) => [measure, amount]))),
)
const measure = v.nullable(v.picklist(MEASURES))

const flowSchema = v.strictObject({
  id: v.string(),
  kind: v.picklist(ENDPOINT_KINDS),
  state: v.strictObject({
    condition: v.picklist(['open', 'throttled', 'cut']),
    reason: measure,
    since: v.number(),
    at: v.number(),
    levels: amounts,
    usual: amounts,
    hour: amounts,
    hourMs: amount,
    hourIsGood: v.boolean(),
    provenMs: v.nullable(amount),
    foreignRun: amount,
    foreignMs: amount,
    cutLeftMs: amount,
    cuts: amount,
    cutAgoMs: amount,
    clockAhead: v.nullable(v.pipe(v.number(), v.finite())),
  }),
})

export class MeterStore {
  private readonly path: string
  private readonly key: Uint8Array
  private readonly random: Random
  private writing: Promise<void> = Promise.resolve()

  /** `key`: 32 octets that the vault derives for this. */
  constructor(folder: string, key: Uint8Array, random: Random) {
    this.path = join(folder, 'meter')
    this.key = key
    this.random = random
  }

  /** @throws SottoError E_STATE_UNREADABLE; the file is left as it is */
  async read(): Promise<MeterState> {
    const sealed = await readPrivate(this.path, FILE_LIMIT)
    if (sealed === undefined) return new Map()
    const flows = v.safeParse(v.array(flowSchema), openMessages(KIND, this.key, sealed))
    if (!flows.success || flows.output.length > MeterLimits.flows) {
      throw unreadable(this.path, 'it does not open with the key beside it')
    }
    return new Map(flows.output.map(({ id, kind, state }) => [id, { kind, state }]))
  }

  /** Replaces what is kept. A disk that is full loses what was measured, never the program. */
  write(flows: MeterState): Promise<void> {
    const messages = [...flows].map(([id, flow]) => ({ id, ...flow }))
    const write = async (): Promise<void> =>
      replacePrivate(this.path, sealMessages(KIND, this.key, this.random, messages))
    this.writing = this.writing.then(write).catch(() => {})
    return this.writing
  }
}
